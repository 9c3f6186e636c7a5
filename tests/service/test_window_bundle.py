"""Window bundles: what a window holds, what utterances and sessions make of windows, and which folders are refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.service.session_fixtures import KnownVoices, assert_same, contents, cut, heard, started, wire
from tests.tiny_window_bundle import NAME, SECONDS, tiny_window_bundle
from tests.voices import conversation, silence, voice
from undertone_service.analysis.hearing import WindowHearing
from undertone_service.bundle.library import BundleLibrary, open_bundle
from undertone_service.bundle.manifest import MANIFEST
from undertone_service.bundle.window import GRAPH, WindowBundle
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.engine import DirectRunner, Engine
from undertone_service.offline import OfflineAnalyzer
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.messages import (
    Result,
    SessionEnded,
    SessionStarted,
    SpeakerChanged,
    UtteranceResult,
)

SAMPLES = round(SECONDS * 16000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_window_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def window_bundle(folder: Path) -> WindowBundle:
    return WindowBundle(folder)


class Overheard(DirectRunner):
    """Keeps the windows that were run, and their answers."""

    def __init__(self) -> None:
        self.windows: list[NDArray[np.float32]] = []
        self.answers: list[NDArray[np.float32]] = []

    async def listen(self, bundle: WindowBundle, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = await super().listen(bundle, samples)
        self.windows.append(samples)
        self.answers.append(answers)
        return answers


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=12), st.data())
def test_a_window_is_the_last_samples_with_zeros_before_the_first(
    window_bundle: WindowBundle, sizes: list[int], data: st.DataObject
) -> None:
    ear = WindowHearing(window_bundle, DirectRunner())
    everything = np.arange(1, sum(sizes) + 1, dtype=np.float32)
    position = 0
    for size in sizes:
        ear.pass_by(everything[position : position + size])
        position += size
    steps = len(everything) // STEP_SAMPLES
    end = data.draw(st.integers(max(0, steps - 1), steps)) * STEP_SAMPLES
    padded = np.concatenate([np.zeros(SAMPLES, np.float32), everything[:end]])
    assert np.array_equal(ear._window(end), padded[len(padded) - SAMPLES :])


async def test_a_result_speaks_of_the_last_window(window_bundle: WindowBundle) -> None:
    runner = Overheard()
    session, _ = await started(window_bundle, {"hop": "0.5", "tasks": "emotion,gender,age"}, runner=runner)
    sound = conversation()
    messages = await heard(session, [wire(sound)])
    results = [m for m in messages if isinstance(m, Result) and m.emotion]
    assert results
    assert all(r.end - r.start <= SECONDS + 1e-6 for r in results)
    written = np.frombuffer(wire(sound), "<i2").astype(np.float32) / 32768
    padded = np.concatenate([np.zeros(SAMPLES, np.float32), written, np.zeros(SAMPLES, np.float32)])
    for result in results:
        end = SAMPLES + round(result.end * 16000)
        window = padded[end - SAMPLES : end]
        place = next(
            i for i, heard_window in enumerate(runner.windows) if np.array_equal(heard_window, window)
        )
        assert result.age is not None
        assert result.age.years == pytest.approx(float(runner.answers[place][11]), abs=0.06)


async def test_a_session_is_the_mean_of_its_windows_weighted_by_speech(window_bundle: WindowBundle) -> None:
    runner = Overheard()
    session, _ = await started(window_bundle, {"hop": "1.0"}, runner=runner)
    messages = await heard(session, [wire(np.concatenate([voice(2.0), voice(2.0, pitch=220, seed=3)]))])
    weights = [m.speech for m in messages if isinstance(m, Result) and m.emotion]
    ended = messages[-1]
    assert isinstance(ended, SessionEnded)
    summary = ended.channels[0]
    assert summary.age is not None
    years = [float(answers[11]) for answers in runner.answers[: len(weights)]]
    assert len(weights) >= 3
    assert summary.age.years == pytest.approx(np.average(years, weights=weights), abs=0.06)


async def test_an_utterance_shorter_than_a_hop_is_answered(window_bundle: WindowBundle) -> None:
    session, _ = await started(window_bundle, {"hop": "2.0"})
    sound = np.concatenate([silence(0.3), voice(0.9), silence(0.9)])
    (utterance,) = [m for m in await heard(session, [wire(sound)]) if isinstance(m, UtteranceResult)]
    assert utterance.emotion is not None


@settings(deadline=None, max_examples=8)
@given(sizes=st.lists(st.integers(1, 60_000), min_size=1, max_size=8))
def test_results_do_not_depend_on_how_the_audio_was_cut(
    window_bundle: WindowBundle, sizes: list[int]
) -> None:
    import asyncio

    async def messages(pieces: Sequence[bytes]) -> list[dict[str, Any]]:
        session, greeting = await started(window_bundle, {})
        return contents([*greeting, *await heard(session, pieces)])

    data = wire(conversation())
    whole = asyncio.run(messages([data]))
    assert_same(asyncio.run(messages(cut(data, sizes))), whole)


async def test_the_window_is_the_bundles_own(window_bundle: WindowBundle) -> None:
    _, (greeting, *_) = await started(window_bundle, {})
    assert isinstance(greeting, SessionStarted)
    assert greeting.window == SECONDS
    for query in ({"window": "3.0"}, {"hop": "2.5"}):
        with pytest.raises(UndertoneError, match="windows of 2 s") as refusal:
            await started(window_bundle, query)
        assert refusal.value.code is ErrorCode.BAD_REQUEST


async def test_streams_share_a_batch_and_nothing_else(window_bundle: WindowBundle) -> None:
    import asyncio

    engine = Engine()
    await engine.start()

    async def messages(sound: NDArray[np.float32], runner: Any) -> list[dict[str, Any]]:
        session, greeting = await started(window_bundle, {}, runner=runner)
        return contents([*greeting, *await heard(session, [wire(sound)])])

    sounds = [voice(3.0, pitch=90 + 20 * i, seed=i) for i in range(6)]
    together = await asyncio.gather(*(messages(sound, engine) for sound in sounds))
    await engine.stop()
    for sound, found in zip(sounds, together, strict=True):
        assert_same(found, await messages(sound, DirectRunner()))


async def test_a_bundle_without_voiceprints_answers_the_rest_and_refuses_claims(tmp_path: Path) -> None:
    plain = WindowBundle(tiny_window_bundle(tmp_path, tasks=("emotion", "age"), bands=True, voiceprint=0))
    session, _ = await started(plain, {})
    said = await heard(session, [wire(voice(9.0))])
    assert not [m for m in said if isinstance(m, SpeakerChanged)], (
        "what has no voiceprint hears no voice change"
    )
    results = [m for m in said if isinstance(m, Result) and m.emotion]
    assert results
    assert results[-1].gender is None
    assert results[-1].age is not None
    assert results[-1].age.years is None
    for query in ({"identify": "1"}, {"verify": "ann"}):
        with pytest.raises(UndertoneError, match="takes no voiceprints"):
            await started(plain, query, voices=KnownVoices())
    analyzer = OfflineAnalyzer(DirectRunner(), BundleLibrary([tmp_path], NAME))
    with pytest.raises(UndertoneError, match="takes no voiceprints"):
        await analyzer.voice(voice(3.0), 16000, None)


async def test_a_recording_has_a_voice_and_an_analysis(folder: Path) -> None:
    analyzer = OfflineAnalyzer(DirectRunner(), BundleLibrary([folder.parent], NAME))
    sample = await analyzer.voice(voice(4.0), 16000, None)
    assert sample.voiceprint is not None
    assert float(np.linalg.norm(sample.voiceprint)) == pytest.approx(1.0, abs=1e-5)
    short = await analyzer.voice(np.concatenate([silence(0.2), voice(0.7)]), 16000, None)
    assert short.voiceprint is not None
    nothing = await analyzer.voice(silence(3.0), 16000, None)
    assert nothing.voiceprint is None
    analysis = await analyzer.analyze(voice(4.0)[:, None], 16000, roles=[Role.CUSTOMER], bundle=None)
    assert analysis.channels[0].emotion is not None


def test_two_kinds_stand_side_by_side(folder: Path, bundle_folder: Path) -> None:
    library = BundleLibrary([folder.parent, bundle_folder], "tiny")
    assert {bundle.manifest.kind for bundle in library} == {"streaming", "window"}
    assert library.get(NAME).manifest.kind == "window"


def _changed(folder: Path, to: Path, **changes: Any) -> Path:
    to.mkdir()
    (to / GRAPH).write_bytes((folder / GRAPH).read_bytes())
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    (to / MANIFEST).write_text(json.dumps(manifest))
    return to


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "spectral"}, "kind 'spectral'"),
        ({"digest": "0"}, "are not those"),
        ({"window_samples": 16000}, "not samples"),
        ({"voiceprint_size": 8}, "'voiceprint' has 16 floats, not 8"),
        ({"age_years": False}, "'age_band' has no floats"),
        ({"tasks": ["emotion", "mood"]}, "tasks"),
        ({"sample_rate": 8000}, "sample_rate"),
    ],
)
def test_a_broken_or_mismatched_bundle_is_refused_with_the_reason(
    folder: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UndertoneError, match=reason) as refusal:
        open_bundle(_changed(folder, tmp_path / "changed", **changes))
    assert refusal.value.code is ErrorCode.UNKNOWN_BUNDLE


@pytest.mark.parametrize("content", ["", "[]", "{", '"window"'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(UndertoneError) as refusal:
        open_bundle(tmp_path)
    assert refusal.value.code is ErrorCode.UNKNOWN_BUNDLE


def test_a_graph_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    from undertone_service.bundle.manifest import digest

    broken = _changed(folder, tmp_path / "broken")
    (broken / GRAPH).write_bytes(b"no graph")
    manifest = json.loads((broken / MANIFEST).read_text()) | {"digest": digest([broken / GRAPH])}
    (broken / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UndertoneError, match=r"model\.onnx") as refusal:
        open_bundle(broken)
    assert refusal.value.code is ErrorCode.UNKNOWN_BUNDLE
