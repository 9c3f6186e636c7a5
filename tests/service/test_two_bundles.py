"""A running server with bundles of both kinds: each stream, upload and enrolment has the one that it names."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.conftest import run_server
from tests.tiny_window_bundle import NAME, SECONDS, tiny_window_bundle
from tests.voices import SAMPLE_RATE, voice
from undertone_client import Client, StreamOptions, connect
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Result, SessionEnded
from undertone_service.settings import Settings


@pytest.fixture(scope="module")
def url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("windows")
    tiny_window_bundle(folder)
    settings = Settings(
        bundle_dirs=(bundle_folder, folder),
        default_bundle="tiny",
        data_dir=tmp_path_factory.mktemp("data"),
        max_rate=1000.0,
    )
    yield from run_server(settings)


async def heard(url: str, bundle: str | None) -> tuple[str, float, list[Result], SessionEnded]:
    options = StreamOptions(bundle=bundle, hop=1.0)
    async with connect(url, options=options) as stream:
        await stream.send(voice(4.0))
        await stream.close()
        messages = [message async for message in stream]
        started = stream.started
    ended = messages[-1]
    assert isinstance(ended, SessionEnded)
    results = [message for message in messages if isinstance(message, Result)]
    return started.bundle.name, started.window, results, ended


async def test_streams_of_both_kinds_run_at_once(url: str) -> None:
    async with Client(url) as client:
        models = (await client.models()).models
    assert {(model.name, model.kind, model.default) for model in models} >= {
        ("tiny", "streaming", True),
        (NAME, "window", False),
    }
    found = await asyncio.gather(*(heard(url, bundle) for bundle in (None, NAME, "tiny", NAME)))
    assert [name for name, *_ in found] == ["tiny", NAME, "tiny", NAME]
    assert [window for _, window, *_ in found] == [3.0, SECONDS, 3.0, SECONDS]
    for _, window, results, ended in found:
        assert results[-1].emotion is not None
        assert results[-1].end - results[-1].start == pytest.approx(window)
        assert ended.channels[0].emotion is not None
    assert found[1][2][-1].emotion == found[3][2][-1].emotion
    assert found[0][2][-1].emotion != found[1][2][-1].emotion


async def test_an_unknown_bundle_and_a_window_that_it_has_not_are_refused(url: str) -> None:
    for options, code in (
        (StreamOptions(bundle="no-such"), ErrorCode.UNKNOWN_BUNDLE),
        (StreamOptions(bundle=NAME, window=5.0), ErrorCode.BAD_REQUEST),
    ):
        with pytest.raises(UndertoneError) as refusal:
            async with connect(url, options=options):
                pass
        assert refusal.value.code is code


async def test_a_voice_is_enrolled_and_verified_with_the_bundle_that_is_named(url: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, voice(6.0), SAMPLE_RATE, format="WAV")
    async with Client(url) as client:
        ann = await client.create_speaker("Ann", "test")
        await client.enroll(ann.id, file.getvalue(), bundle=NAME)
        found = await client.verify(ann.id, file.getvalue(), bundle=NAME)
        assert found.score == pytest.approx(1.0, abs=1e-3)
        with pytest.raises(UndertoneError) as refusal:
            await client.verify(ann.id, file.getvalue())
        assert refusal.value.code is ErrorCode.NEEDS_REENROLMENT
