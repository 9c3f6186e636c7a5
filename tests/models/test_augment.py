"""Disturbances of crops: what each promises, and that a generator's state decides all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voices import SAMPLE_RATE, voice
from undertone_models.training.augment import (
    Augmenter,
    AugmentSettings,
    Samples,
    add_noise,
    at_level,
    cut,
    equalise,
    reverberate,
    telephone,
)

ALWAYS = AugmentSettings(clean=0.0, equalise=1.0, reverb=1.0, noise=1.0, babble=0.5, telephone=1.0)
NEVER = AugmentSettings(equalise=0.0, reverb=0.0, noise=0.0, telephone=0.0)


def white(count: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32) * np.float32(0.1)


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


def power(samples: Samples) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def augmenter(chosen: AugmentSettings) -> Augmenter:
    response = np.zeros(2000, np.float32)
    response[40], response[900] = 1.0, 0.4
    return Augmenter(chosen, [white(8000, seed=3), white(50_000, seed=4)], [response])


def test_the_telephone_passes_nothing_above_4_khz() -> None:
    heard = telephone(white(32_000))
    spectrum = np.abs(np.fft.rfft(heard)) ** 2
    frequencies = np.fft.rfftfreq(len(heard), 1 / SAMPLE_RATE)
    above, within = spectrum[frequencies > 4100].mean(), spectrum[frequencies < 3400].mean()
    assert decibels(above / within) < -45


@pytest.mark.parametrize("count", [1600, 16_001, 31_999])
def test_the_telephone_keeps_length_and_alignment(count: int) -> None:
    said = at_level(voice(2.0)[:count], -20)
    heard = telephone(said)
    assert len(heard) == count
    assert heard.dtype == np.float32
    lag = int(np.correlate(heard, said, "full").argmax()) - (count - 1)
    assert lag == 0
    assert np.corrcoef(heard, said)[0, 1] > 0.99


def test_the_telephone_codes_with_mu_law() -> None:
    said = at_level(voice(1.0), -20)
    error = telephone(said) - said
    # The resampler alone would leave 60 dB below this voice.
    assert -42 < decibels(power(error) / power(said)) < -33


@given(
    st.floats(-10, 40), st.floats(0.001, 0.5), st.floats(0.001, 0.5), st.integers(0, 2**32 - 1)
)  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_noise_has_the_ratio_asked_for(snr_db: float, loud: float, noisy: float, seed: int) -> None:
    said = np.float32(loud) * white(4000, seed)
    noise = np.float32(noisy) * white(4000, seed + 1)
    added = add_noise(said, noise, snr_db).astype(np.float64) - said
    assert decibels(power(said) / power(added)) == pytest.approx(snr_db, abs=0.05)


def test_silence_for_a_noise_leaves_the_voice_alone() -> None:
    said = voice(0.5)
    np.testing.assert_array_equal(add_noise(said, np.zeros_like(said), 0.0), said)


def test_levels() -> None:
    assert decibels(power(at_level(voice(1.0), -26.0))) == pytest.approx(-26, abs=0.01)
    nothing = np.zeros(100, np.float32)
    np.testing.assert_array_equal(at_level(nothing, -20.0), nothing)


@pytest.mark.parametrize("count", [1600, 4097, 30_000])
def test_equalising_keeps_length_and_stays_within_its_strength(count: int) -> None:
    said = white(count)
    for seed in range(10):
        coloured = equalise(said, 8.0, np.random.default_rng(seed))
        assert len(coloured) == count
        assert coloured.dtype == np.float32
        assert abs(decibels(power(coloured) / power(said))) <= 8.0
        assert not np.allclose(coloured, said, atol=1e-3)
    np.testing.assert_allclose(equalise(said, 0.0, np.random.default_rng(0)), said, atol=1e-6)


def test_a_room_keeps_the_direct_sound_in_its_place() -> None:
    said = voice(0.5)
    response = np.zeros(4000, np.float32)
    response[300], response[300 + 800] = 0.9, 0.3
    wet = reverberate(said, response)
    echo = np.concatenate([np.zeros(800, np.float32), said])[: len(said)]
    np.testing.assert_allclose(wet, 0.9 * said + 0.3 * echo, atol=1e-5)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 1000))
@settings(deadline=None)
def test_cuts_are_stretches_of_the_recording_said_again_where_it_is_short(
    have: int, want: int, seed: int
) -> None:
    recording = np.arange(have, dtype=np.float32)
    stretch = cut(recording, want, np.random.default_rng(seed))
    assert len(stretch) == want
    np.testing.assert_array_equal(stretch, (stretch[0] + np.arange(want)) % have)


def test_a_generator_decides_every_disturbance() -> None:
    said, babble = voice(1.0), voice(2.0, pitch=220, seed=5)
    once, again = (augmenter(ALWAYS)(said, babble, np.random.default_rng(9)) for _ in range(2))
    other = augmenter(ALWAYS)(said, babble, np.random.default_rng(10))
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, other, atol=1e-3)


def test_crops_come_out_as_long_as_they_went_in_and_within_full_scale() -> None:
    disturb = augmenter(AugmentSettings(gain_db=(10.0, 20.0)))
    for seed in range(12):
        random = np.random.default_rng(seed)
        said = voice(0.4 + 0.1 * seed, seed=seed)
        heard = disturb(said, voice(0.3, seed=50), random)
        assert heard.shape == said.shape
        assert heard.dtype == np.float32
        assert np.abs(heard).max() <= 1
        assert np.isfinite(heard).all()


def test_without_disturbance_only_the_level_changes() -> None:
    said = voice(1.0)
    heard = augmenter(NEVER)(said, said, np.random.default_rng(0))
    assert -45 <= decibels(power(heard)) <= -14
    unclipped = np.abs(heard) < 1
    ratio = float(np.median(heard[unclipped & (said != 0)] / said[unclipped & (said != 0)]))
    np.testing.assert_allclose(heard[unclipped], ratio * said[unclipped], atol=1e-6)


def test_babble_is_the_other_person_where_there_are_no_noises() -> None:
    chosen = AugmentSettings(
        clean=0.0,
        equalise=0.0,
        reverb=0.0,
        telephone=0.0,
        noise=1.0,
        noise_snr_db=(-60.0, -60.0),
        gain_db=(0.0, 0.0),
    )
    said, babble = voice(1.0), white(16_000)
    heard = Augmenter(chosen, [], [])(said, babble, np.random.default_rng(0))
    assert np.corrcoef(heard, babble)[0, 1] > 0.99


def test_speed_changes_pitch_and_length_and_says_so() -> None:
    said = voice(2.0)
    random = np.random.default_rng(0)
    changed = [augmenter(AugmentSettings(speed=1.0)).change_speed(said, random) for _ in range(20)]
    assert all(was for _, was in changed)
    lengths = [len(heard) / len(said) for heard, _ in changed]
    assert 1 / 1.13 < min(lengths) < 0.96
    assert 1.04 < max(lengths) < 1 / 0.87
    same, was = augmenter(AugmentSettings(speed=0.0)).change_speed(said, random)
    assert same is said
    assert not was


def test_emotional_crops_are_left_clean_more_often() -> None:
    said = white(16_000)
    chosen = AugmentSettings(clean=0.0, emotional_clean=1.0, telephone=1.0, gain_db=(0.0, 0.0))
    random = np.random.default_rng(0)
    clean = augmenter(chosen)(said, said, random, emotional=True)
    assert np.corrcoef(clean, said)[0, 1] > 0.99  # clipped at most
    assert np.corrcoef(augmenter(chosen)(said, said, random), said)[0, 1] < 0.9  # half of the band is gone
