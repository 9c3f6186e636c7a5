"""Sounds that are no speech: sound in themselves, and hard enough to tell from speech."""

from collections.abc import Callable

import numpy as np
import pytest

from undertone_models.training.synthetic_noise import (
    Samples,
    dtmf,
    fax,
    music,
    ringback,
    synthetic_noise,
    white_noise,
)
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE
from undertone_service.dsp.vad import WebRtcVad

Maker = Callable[[float, np.random.Generator], Samples]
MAKERS: tuple[Maker, ...] = (dtmf, ringback, music, white_noise, fax)


def called_speech(sound: Samples) -> float:
    whole = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    return float(np.mean(WebRtcVad().push(whole.reshape(-1, FRAME_SAMPLES))))


@pytest.mark.parametrize("maker", MAKERS)
def test_sounds_have_the_length_asked_for_and_a_sane_level(maker: Maker) -> None:
    for seed in range(8):
        seconds = 0.25 + 0.31 * seed
        sound = maker(seconds, np.random.default_rng(seed))
        assert sound.shape == (round(seconds * SAMPLE_RATE),)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= 0.51
    longest = [np.abs(maker(5.0, np.random.default_rng(seed))).max() for seed in range(8)]
    assert max(longest) > 0.3


@pytest.mark.parametrize("maker", MAKERS)
def test_each_kind_fools_the_voice_detector_at_times(maker: Maker) -> None:
    assert max(called_speech(maker(2.0, np.random.default_rng(seed))) for seed in range(6)) > 0.5


def test_dtmf_holds_one_row_and_one_column_at_a_time() -> None:
    sound = dtmf(1.0, np.random.default_rng(3))
    sounding = np.flatnonzero(sound)
    key = sound[sounding[0] : sounding[0] + 640]  # the first 40 ms of the first key
    strengths = np.abs(np.fft.rfft(key, 16 * SAMPLE_RATE))
    rows = [strengths[16 * f] for f in (697, 770, 852, 941)]
    columns = [strengths[16 * f] for f in (1209, 1336, 1477, 1633)]
    for group in (rows, columns):
        strongest, second = sorted(group)[:-3:-1]
        assert strongest > 1.5 * second


def test_a_generator_decides_the_sound_and_all_kinds_come_up() -> None:
    np.testing.assert_array_equal(
        synthetic_noise(0.5, np.random.default_rng(1)), synthetic_noise(0.5, np.random.default_rng(1))
    )
    random = np.random.default_rng(0)
    sounds = [synthetic_noise(0.5, random) for _ in range(40)]
    assert len({sound.tobytes() for sound in sounds}) > 30
    assert all(sound.shape == (8000,) for sound in sounds)
