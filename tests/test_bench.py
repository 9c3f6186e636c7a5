"""``undertone bench`` as a user runs it: a real server, real sockets, load from processes of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.tiny_bundle import NAME
from tests.voices import SAMPLE_RATE, silence, voice
from undertone_client import blocking
from undertone_client.bench.voice import enrolled_voice
from undertone_client.command_line import main
from undertone_client.commands.bench import milliseconds
from undertone_service.protocol.errors import UndertoneError

GENEROUS = "20s"  # whatever else the machine has to do


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "speech.wav", voice(15.0, seed=3), SAMPLE_RATE)
    return tmp_path / "speech.wav"


def benched(words: list[str], speech: Path) -> tuple[int, dict[str, Any]]:
    report = speech.with_suffix(".json")
    status = main(["bench", "--speech", str(speech), "--p99", GENEROUS, *words, "--json", str(report)])
    return status, json.loads(report.read_text())


def test_a_server_of_its_own_is_loaded_and_every_result_counted(
    bundle_folder: Path, speech: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERTONE_BUNDLE_DIRS", str(bundle_folder))
    monkeypatch.setenv("UNDERTONE_DEFAULT_BUNDLE", NAME)
    monkeypatch.setenv("UNDERTONE_MAX_STREAMS", "3")
    curve = speech.with_suffix(".png")
    status, report = benched(["--streams", "4", "--seconds", "2", "--plot", str(curve)], speech)
    (row,) = report["rows"]
    assert status == 1
    assert row["failed_streams"] == 1  # of four, a server of three takes three
    assert row["results"] == 3 * 4  # a hop of half a second over two seconds
    assert 3 * 2 <= row["expected"] <= 3 * 4
    assert (row["missing"], row["thinned"], row["late"]) == (0, 0, 0)
    assert row["speech_share"] > 0.85
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    assert 0 < row["lag_p99_ms"] <= row["p99_ms"] + 1
    assert row["busy"] > 0
    assert row["rss_mb"] > 20
    assert "A voice was enrolled." in report["text"]
    assert curve.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr()
    assert "No number that was tried passes. 4 do not: 1 × refused: overloaded." in printed.out
    assert "4 streams: " in printed.err


def test_a_server_that_runs_already_keeps_nothing_of_the_voice(server_url: str, speech: Path) -> None:
    words = ["--url", server_url, "--streams", "2", "--seconds", "1.5", "--load", "call", "--frame", "30ms"]
    words += ["--sample-rate", "8000", "--encoding", "mulaw", "--window", "2", "--hop", "0.3"]
    _, report = benched(words, speech)
    (row,) = report["rows"]
    assert row["results"] == 2 * 5
    assert (row["missing"], row["failed_streams"]) == (0, 0)
    assert "mulaw at 8000 Hz in frames of 30 ms" in report["text"]
    assert "window 2 s, hop 0.3 s" in report["text"]
    with blocking.Client(server_url) as client:
        assert [one for one in client.speakers().speakers if "bench" in one.name] == []


def test_the_voice_is_there_while_it_is_claimed(server_url: str) -> None:
    with blocking.Client(server_url) as client:
        with enrolled_voice(server_url, voice(12.0), 8000, None) as claim:
            assert claim.speaker is not None
            assert client.speaker(claim.speaker).name == "undertone bench"
        with pytest.raises(UndertoneError):
            client.speaker(claim.speaker)


def test_without_a_voice_the_bench_says_so(server_url: str) -> None:
    with enrolled_voice(server_url, silence(12.0), 16000, None) as claim:
        assert claim.speaker is None
        assert "speech" in claim.problem
    with blocking.Client(server_url) as client:
        assert [one for one in client.speakers().speakers if "bench" in one.name] == []


def test_a_time_is_read_with_its_unit() -> None:
    assert milliseconds("300ms") == milliseconds("0.3s") == milliseconds("300") == 300.0


@pytest.mark.parametrize(
    "words",
    [
        ["--streams", "0"],
        ["--seconds", "0.2"],
        ["--frame", "2ms"],
        ["--frame", "20.5ms"],
        ["--window", "0.2"],
        ["--hop", "0.25"],
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str], speech: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--speech", str(speech), *words]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("words", [["--p99", "soon"], ["--load", "loud"], ["--sample-rate", "44100"]])
def test_misuse(words: list[str], speech: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--speech", str(speech), *words])
    assert ended.value.code == 2
