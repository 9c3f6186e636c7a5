"""Windows, totals, thirds; and the numerics of an hour."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertone_service.analysis.sums import Contribution, SpeechSum, Thirds, Window
from undertone_service.bundle.streaming import moments

POOLS = {"emotion": 6, "voiceprint": 5}
FLOOR = 1e-4
SIZE = sum(1 + 2 * size for size in POOLS.values()) + 1


def hour_of_steps(steps: int = 36000) -> np.ndarray:
    """Statistics f32[steps, D] such as the encoder gives: sum w, sum w h, sum w h^2 of five frames."""
    random = np.random.default_rng(5)
    parts = []
    for size in POOLS.values():
        weight = np.exp(random.uniform(-3, 3, (steps, 5, 1)))
        # Far from zero mean, as a norm's bias may put them: the hard case for differences of sums.
        vectors = random.normal(random.uniform(-5, 5, size), 0.3, (steps, 5, size))
        parts += [weight.sum(1), (weight * vectors).sum(1), (weight * vectors**2).sum(1)]
    return np.concatenate([*parts, np.full((steps, 1), 4.5)], axis=1).astype(np.float32)


def reference_moments(rows: np.ndarray) -> np.ndarray:
    """Two passes in extended precision, no large sums subtracted from each other."""
    wide = rows.astype(np.longdouble)
    result, start = [], 0
    for size in POOLS.values():
        weight = wide[:, start].sum()
        mean = wide[:, start + 1 : start + 1 + size].sum(0) / weight
        square = wide[:, start + 1 + size : start + 1 + 2 * size]
        first = wide[:, start + 1 : start + 1 + size]
        variance = (square - 2 * mean * first + mean * mean * wide[:, start : start + 1]).sum(0) / weight
        result += [np.log(weight)[None], mean, np.maximum(variance, FLOOR)]
        start += 1 + 2 * size
    return np.concatenate(result).astype(np.float64)


def test_an_hour_of_statistics_keeps_its_moments() -> None:
    rows = hour_of_steps()
    total = SpeechSum(SIZE)
    for row in rows:
        total.add(row, 0.1)
    found = moments(total.statistics[None], list(POOLS.values()), FLOOR)[0]
    np.testing.assert_allclose(found[:-1], reference_moments(rows), atol=1e-4)
    assert total.speech == pytest.approx(3600)


def test_single_precision_sums_would_not() -> None:
    """The test above can fail: what it guards against is real."""
    rows = hour_of_steps()
    total = np.zeros(SIZE, np.float32)
    for row in rows:
        total += row
    found = moments(total[None].astype(np.float64), list(POOLS.values()), FLOOR)[0]
    assert np.abs(found[:-1] - reference_moments(rows)).max() > 1e-4


def test_variance_has_a_floor() -> None:
    row = np.array([[2.0, 1.0, 0.5]])  # h is 0.5 throughout
    np.testing.assert_allclose(moments(row, [1], FLOOR)[0], [np.log(2), 0.5, FLOOR], rtol=1e-6)


def contribution(index: int, speech: float = 0.1) -> Contribution:
    return Contribution(index, np.full(3, index + 1, np.float32), speech, 0.01 * index)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 80), min_size=1), st.integers(1, 30), st.integers(1, 100))
def test_a_window_is_the_sum_of_its_steps(indices: set[int], steps: int, end: int) -> None:
    window = Window(steps)
    heard = sorted(index for index in indices if index < end)
    for index in heard:
        window.add(contribution(index))
    gone = window.expire(end)
    inside = [index for index in heard if end - steps <= index]
    assert [c.index for c in gone] == [index for index in heard if index < end - steps]
    total = window.total(3)
    np.testing.assert_array_equal(total.statistics, np.full(3, float(sum(i + 1 for i in inside))))
    assert total.speech == pytest.approx(0.1 * len(inside))
    assert total.statistics.dtype == np.float64


def test_the_level_of_a_window_weighs_by_speech() -> None:
    window = Window(10)
    assert window.level == 0
    window.add(contribution(1, speech=0.1))
    window.add(contribution(4, speech=0.02))
    assert window.level == pytest.approx((0.01 * 0.1 + 0.04 * 0.02) / 0.12)


@pytest.mark.parametrize("steps", [3, 30, 200, 2400, 2401, 36000])
def test_thirds_of_a_stretch(steps: int) -> None:
    thirds = Thirds(1)
    for index in range(steps):
        thirds.add(index, np.ones(1, np.float32), 0.1)
    parts = thirds.thirds(steps)
    assert sum(part.statistics[0] for part in parts) == steps
    assert sum(part.speech for part in parts) == pytest.approx(steps / 10)
    for part in parts:
        assert abs(part.statistics[0] - steps / 3) <= steps / 10 + 1


def test_thirds_keep_their_memory_small() -> None:
    thirds = Thirds(1)
    for index in range(0, 500_000, 50):
        thirds.add(index, np.ones(1, np.float32), 0.1)
    assert len(thirds._sums) <= 24


def test_speech_only_at_the_end_is_in_the_last_third() -> None:
    thirds = Thirds(1)
    thirds.add(2990, np.ones(1, np.float32), 0.1)
    assert [part.speech for part in thirds.thirds(3000)] == [0, 0, 0.1]
