"""The client against the real server: commands and SDK, as a user runs them."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.voices import conversation, silence, voice
from undertone_client import Client, StreamOptions, UndertoneError, blocking, connect
from undertone_client.command_line import main
from undertone_service.protocol.errors import ErrorCode
from undertone_service.protocol.labels import Decision, Role, Task
from undertone_service.protocol.messages import (
    SERVER_MESSAGE,
    Finalized,
    Result,
    SessionEnded,
    SessionStarted,
    SpeechStarted,
    UtteranceResult,
)
from undertone_service.protocol.rest import Analysis

ANN = np.concatenate([voice(6.0, pitch=115, seed=3), silence(0.5)])


@pytest.fixture(autouse=True)
def _settings(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_URL", server_url)
    monkeypatch.delenv("UNDERTONE_API_KEY", raising=False)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A recorded call: agent left, customer right."""
    customer = conversation(rate=8000)
    agent = np.roll(customer, 3 * 8000)
    soundfile.write(tmp_path / "call.flac", np.stack([agent, customer], axis=1), 8000)
    return tmp_path / "call.flac"


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "ann.wav", ANN, 16000)
    return tmp_path / "ann.wav"


def test_replay_prints_events_and_a_result_every_hop(call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(call), "--fast", "--json", "--roles", "agent,customer"]) == 0
    messages = [SERVER_MESSAGE.validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [m.seq for m in messages] == list(range(len(messages)))
    assert isinstance(messages[0], SessionStarted)
    assert messages[0].audio.channels == 2
    for channel in (0, 1):
        ends = [m.end for m in messages if isinstance(m, Result) and m.channel == channel]
        np.testing.assert_allclose(ends, np.arange(1, 18) * 0.5, atol=1e-9)
    assert sum(isinstance(m, SpeechStarted) for m in messages) >= 5
    assert all(m.emotion is None for m in messages if isinstance(m, UtteranceResult) and m.role is Role.AGENT)
    assert any(m.emotion for m in messages if isinstance(m, UtteranceResult) and m.role is Role.CUSTOMER)
    ended = messages[-1]
    assert isinstance(ended, SessionEnded)
    assert sum(channel.talk_share for channel in ended.channels) == pytest.approx(1, abs=1e-3)


def test_replay_for_people(call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(call), "--fast"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("session ")
    assert "tiny" in lines[0]
    assert len(lines) > 40


def test_analysis_agrees_with_the_live_session(call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roles = ["--roles", "agent,customer"]
    assert main(["analyze", str(call), "--json", *roles]) == 0
    analysis = Analysis.model_validate_json(capsys.readouterr().out)
    assert main(["replay", str(call), "--fast", "--json", *roles]) == 0
    messages = [SERVER_MESSAGE.validate_json(line) for line in capsys.readouterr().out.splitlines()]
    live = sorted((m for m in messages if isinstance(m, UtteranceResult)), key=lambda m: (m.start, m.channel))
    assert [(u.channel, u.start, u.end, u.speech) for u in analysis.utterances] == [
        (u.channel, u.start, u.end, u.speech) for u in live
    ]
    for uploaded, streamed in zip(analysis.utterances, live, strict=True):
        assert uploaded.gender is not None
        assert streamed.gender is not None
        assert uploaded.gender.confidence == pytest.approx(streamed.gender.confidence, abs=2e-4)


def test_enrolment_and_verification(ann: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    consent = ["--consent-by", "the tests, in writing"]
    short = tmp_path / "short.wav"
    soundfile.write(short, ANN[: 16000 * 2], 16000)
    assert main(["enroll", "Ann", str(short), "--id", "ann-e2e", *consent]) == 1
    assert "are missing" in capsys.readouterr().out
    assert main(["enroll", "Ann", str(ann), "--id", "ann-e2e", *consent]) == 0
    assert "ready" in capsys.readouterr().out
    assert main(["verify", "ann-e2e", str(ann)]) == 0
    assert "ann-e2e: accepted" in capsys.readouterr().out
    assert main(["replay", str(ann), "--fast", "--json", "--verify", "ann-e2e"]) == 0
    ended = SERVER_MESSAGE.validate_json(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(ended, SessionEnded)
    assert ended.channels[0].speaker is not None
    assert ended.channels[0].speaker.decision is Decision.ACCEPTED
    with blocking.Client() as client:
        client.delete_speaker("ann-e2e")
    assert main(["verify", "ann-e2e", str(ann)]) == 1
    assert "ann-e2e" in capsys.readouterr().err


def test_refusals_reach_the_person_at_the_command_line(
    ann: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(ann), "--fast", "--verify", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
    assert main(["replay", str(ann), "--fast", "--bundle", "nonesuch"]) == 1
    assert "tiny" in capsys.readouterr().err
    text = tmp_path / "text.wav"
    text.write_text("This is no audio.")
    assert main(["analyze", str(text)]) == 1
    assert "cannot be read as audio" in capsys.readouterr().err
    click = tmp_path / "click.wav"
    soundfile.write(click, ANN[:80], 16000)  # 5 ms
    assert main(["analyze", str(click), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["utterances"] == []
    assert main(["enroll", "Ann", str(click), "--id", "click", "--consent-by", "the tests"]) == 1
    assert "0.0 s of speech" in capsys.readouterr().err


async def test_the_sdk_follows_a_stream_and_its_events() -> None:
    options = StreamOptions(sample_rate=16000, hop=1.0, tasks=(Task.GENDER,))
    async with connect(None, options) as stream, Client() as client:
        for start in range(0, len(ANN), 1600):
            await stream.send(ANN[start : start + 1600])
        await stream.finalize()
        await stream.close()
        messages = [message async for message in stream]
        events = [message async for message in client.events(stream.started.id)]
        session = await client.session(stream.started.id)
    assert events == [stream.started, *messages]
    assert session.id == stream.started.id
    results = [m for m in messages if isinstance(m, Result)]
    assert len(results) == 6
    assert results[-1].gender is not None
    assert results[-1].emotion is None


async def test_the_sdk_raises_the_servers_reason() -> None:
    with pytest.raises(UndertoneError) as refused:
        async with connect(None, StreamOptions(bundle="nonesuch")):
            pass
    assert refused.value.code is ErrorCode.UNKNOWN_BUNDLE
    async with connect() as stream:
        await stream._send("no message")
        with pytest.raises(UndertoneError) as refused:
            async for _ in stream:
                pass
    assert refused.value.code is ErrorCode.BAD_MESSAGE


def test_the_blocking_sdk() -> None:
    with blocking.connect(None, StreamOptions(hop=1.0)) as stream:
        assert stream.started.bundle.name == "tiny"
        stream.send(ANN[:32000])
        stream.configure(tasks=(Task.AGE,))
        stream.finalize()
        seen = []
        while not isinstance(message := stream.receive(timeout=10), Finalized):
            assert message is not None
            seen.append(message.type)
        assert seen[0] == "speech.started"
        assert "configured" in seen
        assert stream.receive(timeout=0.05) is None
        stream.close()
        assert [m.type for m in stream] == ["session.ended"]
    with blocking.Client() as client:
        assert [model.name for model in client.models().models if model.default] == ["tiny"]


async def test_ten_streams_at_once() -> None:
    async def one(seed: int) -> float:
        async with connect(None, StreamOptions(hop=1.0)) as stream:
            await stream.send(voice(2.0, pitch=100 + 15 * seed, seed=seed))
            await stream.close()
            ended = [message async for message in stream][-1]
        assert isinstance(ended, SessionEnded)
        return ended.channels[0].speech

    speech = await asyncio.gather(*(one(seed) for seed in range(10)))
    assert all(seconds > 1.5 for seconds in speech)
