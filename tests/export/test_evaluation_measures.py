"""Measures with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.measures import average_recall, equal_error_rate, error_rates, mean


def eer(targets: list[float], impostors: list[float], weights: NDArray[np.float64] | None = None) -> float:
    scores = np.array([*targets, *impostors])
    own = np.array([True] * len(targets) + [False] * len(impostors))
    return equal_error_rate(scores, own, np.ones(len(scores)) if weights is None else weights)


def test_separable_scores_have_no_error_and_reversed_ones_nothing_else() -> None:
    assert eer([0.8, 0.9], [0.1, 0.2]) == 0.0
    assert eer([0.1, 0.2], [0.8, 0.9]) == 1.0


def test_one_of_four_on_the_wrong_side_is_a_quarter() -> None:
    assert eer([0.3, 0.7, 0.8, 0.9], [0.1, 0.2, 0.25, 0.75]) == pytest.approx(0.25)


def test_between_two_thresholds_the_crossing_is_interpolated() -> None:
    # Rejected: the target at 0.5, one of three. Accepted falls from 1/2 to 0 at 0.6; they cross at a third.
    assert eer([0.5, 0.7, 0.9], [0.1, 0.6]) == pytest.approx(1 / 3)
    # A tie of one target and one impostor is one step along the diagonal of the curve.
    assert eer([0.5, 0.9, 0.9], [0.1, 0.5]) == pytest.approx(0.2)


def test_equal_scores_of_everybody_are_a_coin_toss() -> None:
    assert eer([0.5] * 3, [0.5] * 7) == pytest.approx(0.5)


def test_without_one_of_the_sides_there_is_no_rate() -> None:
    assert np.isnan(eer([0.5], []))
    assert np.isnan(eer([0.5], [0.4], np.array([0.0, 1.0])))


def test_error_rates_run_from_all_accepted_to_none() -> None:
    rates = error_rates(np.array([0.9, 0.1]), np.array([True, False]), np.ones(2))
    assert rates.thresholds.tolist() == [-np.inf, 0.1, 0.9]
    assert rates.false_accepts.tolist() == [1.0, 0.0, 0.0]
    assert rates.false_rejects.tolist() == [0.0, 0.0, 1.0]


_SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


@given(_SCORES, _SCORES)
def test_weights_count_like_copies(targets: list[float], impostors: list[float]) -> None:
    random = np.random.default_rng(len(targets) + 31 * len(impostors))
    copies = random.integers(1, 4, len(targets) + len(impostors))
    split = len(targets)
    weighted = eer(targets, impostors, copies.astype(float))
    copied = eer(
        np.repeat(targets, copies[:split]).tolist(), np.repeat(impostors, copies[split:]).tolist()
    )  # fmt: skip
    assert weighted == pytest.approx(copied)


@given(_SCORES, _SCORES)
def test_the_rate_is_the_same_seen_from_the_impostors(targets: list[float], impostors: list[float]) -> None:
    mirrored = eer([-score for score in impostors], [-score for score in targets])
    assert eer(targets, impostors) == pytest.approx(mirrored)
    assert eer([score**3 for score in targets], [score**3 for score in impostors]) == pytest.approx(
        eer(targets, impostors)
    )


def test_average_recall_counts_classes_not_clips() -> None:
    truth = np.array([0, 0, 0, 0, 2])  # class 1 does not occur
    right = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    assert average_recall(truth, right, np.ones(5)) == pytest.approx((0.75 + 0.0) / 2)
    assert average_recall(truth, right, np.array([1, 1, 1, 1, 0.0])) == pytest.approx(0.75)
    assert mean(right, np.ones(5)) == pytest.approx(0.6)
    assert np.isnan(mean(right, np.zeros(5)))


def test_intervals_hold_the_spread_over_speakers() -> None:
    speakers = [f"s{i // 10}" for i in range(400)]  # 40 speakers, half of whom are always right
    right = np.array([float(i // 10 % 2) for i in range(400)])
    found = figure(speakers, lambda weights: mean(right, weights))
    assert found == figure(speakers, lambda weights: mean(right, weights))
    assert found.value == 0.5
    assert found.low is not None
    assert found.high is not None
    # Of 40 independent speakers, not of 400 clips: 0.5 +- 1.96 * sqrt(0.25 / 40).
    assert found.low == pytest.approx(0.345, abs=0.03)
    assert found.high == pytest.approx(0.655, abs=0.03)


def test_one_speaker_gives_no_interval() -> None:
    found = figure(["a", "a"], lambda weights: mean(np.array([0.0, 1.0]), weights))
    assert (found.value, found.low, found.high) == (0.5, None, None)
