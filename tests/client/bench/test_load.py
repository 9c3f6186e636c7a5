"""What is said in a bench: how much of it is speech, and that it is the same every time."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.voices import SAMPLE_RATE, conversation, silence, voice
from undertone_client.bench.load import LoadKind, cut_speech, make_load, read
from undertone_client.bench.trial import load_for
from undertone_service.protocol.errors import ErrorCode, UndertoneError

SPEECH = voice(12.0, seed=3)


@pytest.mark.parametrize(
    ("kind", "least", "most"), [(LoadKind.DENSE, 0.85, 0.99), (LoadKind.CALL, 0.38, 0.52)]
)
def test_each_kind_has_its_part_of_speech(kind: LoadKind, least: float, most: float) -> None:
    load = make_load(SPEECH, kind, 600)
    assert (load.samples.shape, load.speech.shape) == ((600 * 1600,), (600,))
    assert least < load.speech.mean() < most
    silent = load.samples.reshape(600, 1600)[~load.speech]
    assert np.abs(silent).mean() < 0.1 * np.abs(load.samples).mean()


def test_the_load_is_the_same_every_time() -> None:
    first, second = (make_load(SPEECH, LoadKind.CALL, 100) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)


@pytest.mark.parametrize(("frame_ms", "steps"), [(20, 1200), (30, 1200), (70, 1197)])
def test_the_load_is_whole_frames_and_whole_steps(frame_ms: int, steps: int) -> None:
    assert len(load_for(SPEECH, LoadKind.DENSE, frame_ms).speech) == steps
    assert steps * 100 % frame_ms == 0


def test_silences_are_cut_and_too_little_speech_is_refused() -> None:
    cut = cut_speech([conversation(), silence(2.0), SPEECH])
    assert 14 < len(cut) / SAMPLE_RATE < 19
    with pytest.raises(UndertoneError) as refused:
        cut_speech([conversation()])
    assert refused.value.code is ErrorCode.NOT_ENOUGH_SPEECH


def test_recordings_of_any_rate_and_channels_are_read(tmp_path: Path) -> None:
    narrow = voice(1.0, rate=8000)
    soundfile.write(tmp_path / "call.wav", np.stack([narrow, narrow], axis=1), 8000)
    soundfile.write(tmp_path / "mono.flac", SPEECH, SAMPLE_RATE)
    call, mono = read([tmp_path / "call.wav", tmp_path / "mono.flac"])
    assert len(call) == pytest.approx(SAMPLE_RATE, abs=20)
    np.testing.assert_allclose(mono, SPEECH, atol=1e-4)
    with pytest.raises(UndertoneError):
        read([tmp_path / "nothing.wav"])
