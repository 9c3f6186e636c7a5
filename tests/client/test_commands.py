import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.asyncio.server import ServerConnection

from tests.client.http_peer import ANALYSED, ANN, ENROLLED, VERIFIED, Peer
from tests.client.peer import RESULT, asked, ended, listen, peer, say, started
from undertone_client.command_line import main
from undertone_service.protocol import rest
from undertone_service.protocol.labels import Decision, Role
from undertone_service.protocol.messages import SERVER_MESSAGE
from undertone_service.protocol.options import StreamOptions

STEREO = np.stack([np.arange(8000), -np.arange(8000)], axis=1).astype(np.int16)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "call.wav", STEREO, 8000)
    return tmp_path / "call.wav"


async def test_replay_sends_the_file_and_prints_what_comes_back(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: list[StreamOptions] = []
    heard: list[bytes] = []

    async def script(socket: ServerConnection) -> None:
        options.append(asked(socket))
        await say(socket, started(socket), RESULT)
        heard.append((await listen(socket))[0])
        await say(socket, ended(1.0))

    words = ["replay", str(recording), "--fast", "--roles", "customer,agent", "--verify", "customer:ann"]
    async with peer(script) as url:
        assert await asyncio.to_thread(main, [*words, "--identify", "--hop", "1", "--url", url]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert await asyncio.to_thread(main, [*words, "--json", "--url", url]) == 0
        records = [SERVER_MESSAGE.validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert options[0].roles == (Role.CUSTOMER, Role.AGENT)
    assert (options[0].claims(), options[0].identify, options[0].hop) == ({0: "ann"}, True, 1.0)
    assert (options[0].sample_rate, options[0].channels) == (8000, 2)
    assert all(np.array_equal(np.frombuffer(audio, "<i2").reshape(-1, 2), STEREO) for audio in heard)
    assert lines[0].startswith("session s1: tiny")
    assert "anger 72%" in lines[1]
    assert lines[2] == "session s1 ended (closed) after 0:01.0"
    assert [record.type for record in records] == ["session.started", "result", "session.ended"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--verify", "ann"], "names no channel"),
        (["--hop", "0.25"], "whole number of steps"),
        (["--roles", "agent"], "roles"),
    ],
)
def test_replay_refuses_what_does_not_fit_before_it_connects(
    recording: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert main(["replay", str(recording), *words, "--url", "http://127.0.0.1:1"]) == 1
    assert reason in capsys.readouterr().err


def test_enroll_tells_what_is_missing(
    http_peer: Peer, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    http_peer.answer("POST /v1/speakers", ANN, 201)
    http_peer.answer("POST /v1/speakers/ann/enrollments?channel=1", ENROLLED, 201)
    words = [
        "enroll",
        "Ann",
        str(recording),
        "--channel",
        "1",
        "--consent-by",
        "form",
        "--url",
        http_peer.url,
    ]
    assert main(words) == 1
    assert "6.0 s of speech are missing" in capsys.readouterr().out
    http_peer.answer(
        "POST /v1/speakers/ann/enrollments?channel=1",
        ENROLLED.model_copy(update={"missing_speech": 0.0}),
        201,
    )
    assert main(words) == 0
    assert "ready. Verify with: undertone verify ann FILE" in capsys.readouterr().out
    assert json.loads(http_peer.asked[0][2])["consent"] == {"given": True, "by": "form"}


def test_enroll_adds_to_a_speaker_of_the_same_name_only(
    http_peer: Peer, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conflict = rest.Problem(code="conflict", problem="There is an ann.", remedy="Choose another id.")
    http_peer.answer("POST /v1/speakers", conflict, 409)
    http_peer.answer("GET /v1/speakers/ann", ANN)
    http_peer.answer("POST /v1/speakers/ann/enrollments", ENROLLED, 201)
    rest_of_it = [str(recording), "--id", "ann", "--consent-by", "form", "--url", http_peer.url]
    assert main(["enroll", "Bob", *rest_of_it]) == 1
    assert "belongs to Ann" in capsys.readouterr().err
    assert all("enrollments" not in call for call, _, _ in http_peer.asked)
    assert main(["enroll", "Ann", *rest_of_it]) == 1
    assert "are missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["Ann", "a.wav"], "person's consent"),
        (["Ann", "--consent-by", "form"], "--mic SECONDS are needed"),
        (["Ann", "a.wav", "--mic", "5", "--consent-by", "form"], "not both"),
        (["Ann", "--mic", "-5", "--consent-by", "form"], "1 to 300"),
    ],
)
def test_enroll_needs_consent_and_one_kind_of_recording(
    http_peer: Peer, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert main(["enroll", *words, "--url", http_peer.url]) == 1
    assert reason in capsys.readouterr().err
    assert http_peer.asked == []


def test_consent_may_be_given_at_the_terminal(
    http_peer: Peer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_peer.answer("POST /v1/speakers", ANN, 201)
    http_peer.answer("POST /v1/speakers/ann/enrollments", ENROLLED, 201)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: " J. Smith, by phone ")
    main(["enroll", "Ann", str(recording), "--url", http_peer.url])
    assert json.loads(http_peer.asked[0][2])["consent"]["by"] == "J. Smith, by phone"


@pytest.mark.parametrize(
    ("decision", "status"), [(Decision.ACCEPTED, 0), (Decision.REJECTED, 3), (Decision.UNDECIDED, 3)]
)
def test_verify_answers_with_its_exit_status(
    http_peer: Peer, recording: Path, capsys: pytest.CaptureFixture[str], decision: Decision, status: int
) -> None:
    http_peer.answer("POST /v1/speakers/ann/verify", VERIFIED.model_copy(update={"decision": decision}))
    assert main(["verify", "ann", str(recording), "--url", http_peer.url]) == status
    assert capsys.readouterr().out == (
        f"ann: {decision} (probability 97%, score 0.60, 4.1 s of speech)\n  warning: narrow band\n"
    )


def test_analyze(http_peer: Peer, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    http_peer.answer("POST /v1/analyze", ANALYSED)
    words = ["analyze", str(recording), "--url", http_peer.url]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{recording}: 0:06.0 at 8000 Hz, model tiny"
    assert lines[1].startswith("channel 0 (customer): speech 2.4 s")
    assert main([*words, "--json"]) == 0
    assert rest.Analysis.model_validate_json(capsys.readouterr().out) == ANALYSED
