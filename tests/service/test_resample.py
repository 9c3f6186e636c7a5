"""The resampler: accuracy, aliases, delay, and no dependence on how the input was cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertone_service.dsp.resample import Resampler, resample

RATES = [8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000]


def sine(hertz: float, rate: int, seconds: float = 0.5) -> NDArray[np.float32]:
    return np.asarray(np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), dtype=np.float32)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.75])
def test_a_sine_stays_that_sine(rate: int, part: float) -> None:
    hertz = part * min(rate, 16000) / 2
    converted = resample(sine(hertz, rate), rate, 16000)
    inner = slice(400, -400)  # the edges know only half of their surroundings
    np.testing.assert_allclose(converted[inner], sine(hertz, 16000, 1)[: len(converted)][inner], atol=1e-3)


@pytest.mark.parametrize("rate", [24000, 32000, 44100, 48000])
@pytest.mark.parametrize("above", [1.15, 1.4])
def test_what_lies_above_the_band_does_not_come_back_as_an_alias(rate: int, above: float) -> None:
    converted = resample(sine(above * 8000, rate), rate, 16000)[400:-400]
    assert np.abs(converted).max() < 1e-3


def test_images_of_telephone_audio_are_kept_out() -> None:
    converted = resample(sine(1000, 8000), 8000, 16000)[400:-400]
    spectrum = np.abs(np.fft.rfft(converted * np.hanning(len(converted))))
    frequencies = np.fft.rfftfreq(len(converted), 1 / 16000)
    assert spectrum[frequencies > 4500].max() < 1e-3 * spectrum.max()


@pytest.mark.parametrize("rate", RATES)
def test_the_length_is_that_of_the_time(rate: int) -> None:
    for count in (1, 7, rate // 3, rate):
        converted = resample(np.ones(count, np.float32), rate, 16000)
        assert abs(len(converted) - count * 16000 / rate) <= 1


def test_equal_rates_pass_through() -> None:
    samples = sine(440, 16000)
    converter = Resampler(16000, 16000)
    assert converter.delay == 0
    np.testing.assert_array_equal(converter.push(samples), samples)
    assert len(converter.flush()) == 0


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([*RATES, 8001]), st.lists(st.integers(0, 700), min_size=1, max_size=8))
def test_cutting_changes_nothing(rate: int, sizes: list[int]) -> None:
    samples = np.random.default_rng(rate).uniform(-1, 1, 2000).astype(np.float32)
    converter, pieces, position, turn = Resampler(rate, 16000), [], 0, 0
    while position < len(samples):
        size = sizes[turn % len(sizes)] if any(sizes) else 1
        pieces.append(converter.push(samples[position : position + size]))
        position, turn = position + size, turn + 1
    pieces.append(converter.flush())
    np.testing.assert_allclose(np.concatenate(pieces), resample(samples, rate, 16000), atol=2e-6)


@pytest.mark.parametrize("rate", [*RATES, 8001])
def test_the_output_trails_by_no_more_than_the_stated_delay(rate: int) -> None:
    converter = Resampler(rate, 16000)
    assert converter.delay < 0.0025
    sent = came = 0
    for _ in range(100):  # messages of 20 ms
        sent += rate // 50
        came += len(converter.push(np.zeros(rate // 50, np.float32)))
        assert 0 <= sent / rate - came / 16000 <= converter.delay + 1 / 16000
