"""Speech over noise, as answers rest on it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertone_service.analysis.loudness import Loudness, decibels, signal_to_noise


def test_nothing_is_known_without_a_noise_floor() -> None:
    loudness = Loudness()
    assert loudness.snr_db is None
    loudness.add(0.1, 0.0, 1.0)
    assert loudness.snr_db is None
    loudness.add(0.1, 0.01, 1.0)
    assert loudness.snr_db == 20.0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.1, 5))
def test_a_steady_stretch_is_as_loud_as_its_parts(level: float, floor: float, speech: float) -> None:
    loudness = Loudness()
    for _ in range(3):
        loudness.add(level, floor, speech)
    known = signal_to_noise(level, floor)
    assert known is not None
    assert loudness.snr_db == pytest.approx(known, abs=0.21)


def test_silence_has_a_least_level() -> None:
    assert (decibels(0.0), decibels(1.0)) == (-120.0, 0.0)
    assert signal_to_noise(0.0, 0.1) is None
