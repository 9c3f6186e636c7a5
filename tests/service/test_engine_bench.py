"""The engine's bench: what it measures, and that its bound binds."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.tiny_bundle import NAME
from tests.voices import SAMPLE_RATE, conversation, silence, voice
from undertone_client.command_line import main
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.engine_bench import dense_speech, largest, measure
from undertone_service.protocol.errors import ErrorCode, UndertoneError

GENEROUS_MS = 20_000.0  # whatever else the machine has to do
IMPOSSIBLE_MS = 0.0


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return dense_speech([voice(4.0, seed=1), voice(2.0, pitch=200, seed=2)])


@pytest.fixture
def free_cores() -> Iterator[None]:
    """The command keeps its process on one core; the tests that follow need not."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    if cores is not None:
        os.sched_setaffinity(0, cores)


def test_silences_are_left_out() -> None:
    dense = dense_speech([conversation(), silence(2.0)])
    assert 3.0 < len(dense) / SAMPLE_RATE < len(conversation()) / SAMPLE_RATE - 1
    assert len(dense) % 1600 == 0


def test_too_little_speech_is_refused() -> None:
    for recordings in ([], [silence(5.0)], [voice(1.0)]):
        with pytest.raises(UndertoneError) as refused:
            dense_speech(recordings)
        assert refused.value.code is ErrorCode.NOT_ENOUGH_SPEECH


def test_a_few_streams_pass(bundle: StreamingBundle, speech: NDArray[np.float32]) -> None:
    load = measure(bundle, speech, 3, 3.0, GENEROUS_MS)
    assert load.passed
    assert load.results == 3 * 2  # a hop of 0.5 s over the second that is measured
    assert load.speech_share > 0.9
    assert 0 < load.p50_ms <= load.p95_ms <= load.p99_ms <= GENEROUS_MS
    assert load.busy > 0
    assert load.row()["streams"] == 3


def test_an_impossible_bound_is_not_met_by_any_number(
    bundle: StreamingBundle, speech: NDArray[np.float32]
) -> None:
    loads = largest(bundle, speech, 3.0, IMPOSSIBLE_MS, start=2)
    assert [load.streams for load in loads] == [2, 1]
    assert not any(load.passed for load in loads)


@pytest.mark.parametrize(("streams", "seconds"), [(0, 5.0), (-1, 5.0), (2, 2.5)])
def test_what_gives_no_result_is_refused(
    bundle: StreamingBundle, speech: NDArray[np.float32], streams: int, seconds: float
) -> None:
    with pytest.raises(UndertoneError) as refused:
        measure(bundle, speech, streams, seconds, GENEROUS_MS)
    assert refused.value.code is ErrorCode.BAD_REQUEST


def test_the_command_writes_down_what_it_measured_and_fails_with_it(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_cores: None
) -> None:
    monkeypatch.setenv("UNDERTONE_BUNDLE_DIRS", str(bundle_folder))
    monkeypatch.setenv("UNDERTONE_DEFAULT_BUNDLE", NAME)
    soundfile.write(tmp_path / "speech.wav", voice(4.0), SAMPLE_RATE)
    words = [
        "bench",
        "--engine",
        "--speech",
        str(tmp_path / "speech.wav"),
        "--streams",
        "2",
        "--seconds",
        "3",
    ]
    report = tmp_path / "bench.json"
    assert main([*words, "--p99", str(IMPOSSIBLE_MS), "--json", str(report)]) == 1
    written = json.loads(report.read_text())
    assert [row["streams"] for row in written["rows"]] == [2]
    assert written["rows"][0]["passed"] is False
