"""Level, clipping, signal-to-noise ratio, bandwidth."""

import numpy as np
import pytest

from tests.voices import voice
from undertone_service.dsp.quality import bandwidth_hz, clipped, level_db, snr_db
from undertone_service.dsp.resample import resample


def test_level() -> None:
    time = np.arange(16000) / 16000
    assert level_db(np.sin(2 * np.pi * 440 * time).astype(np.float32)) == pytest.approx(-3.0, abs=0.05)
    assert level_db(np.full(100, 0.1, np.float32)) == -20.0
    assert level_db(np.zeros(100, np.float32)) == level_db(np.zeros(0, np.float32)) == -120.0


def test_clipping() -> None:
    assert clipped(np.array([1, -1, 0.5, 0.2], np.float32)) == 0.5
    assert clipped(np.zeros(0, np.float32)) == 0.0


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_snr_of_known_noise(rate: int) -> None:
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.01, 4 * rate).astype(np.float32)
    samples[2 * rate :] += random.normal(0, 0.1, 2 * rate).astype(np.float32)
    mask = np.repeat(np.array([0, 1], np.float32), 100)
    assert snr_db(samples, mask, rate) == pytest.approx(20.0, abs=0.5)


def test_snr_needs_both_speech_and_noise() -> None:
    samples = voice(2.0)
    assert snr_db(samples, np.ones(100, np.float32), 16000) is None
    assert snr_db(samples, np.zeros(100, np.float32), 16000) is None
    assert snr_db(np.zeros(0, np.float32), np.zeros(5, np.float32), 16000) is None


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_bandwidth_of_wide_and_telephone_voices(rate: int) -> None:
    wide = np.random.default_rng(0).normal(0, 0.05, 2 * rate).astype(np.float32)
    assert bandwidth_hz(wide, rate) == 8000
    telephone = resample(resample(wide, rate, 8000), 8000, 16000)
    assert bandwidth_hz(telephone, 16000) == 4000


@pytest.mark.parametrize("rate", [8000, 8500, 9000])
def test_rates_that_cannot_hold_a_wide_band(rate: int) -> None:
    assert bandwidth_hz(np.random.default_rng(0).normal(0, 0.05, rate).astype(np.float32), rate) == 4000


def test_silence_and_clicks_are_narrow() -> None:
    assert bandwidth_hz(np.zeros(500, np.float32), 16000) == 4000
