"""The measures, on plain arrays. Each takes weights f64[N], so that resampled speakers are just other weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted mean of values f64[N]: accuracy of 0 and 1, mean absolute error of errors."""
    total = float(weights.sum())
    return float(values @ weights) / total if total else float("nan")


def average_recall(
    truth: NDArray[np.int64], right: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Return the unweighted average recall: the mean, over the classes that occur, of the share found right.

    ``truth`` i64[N] is the class of each clip, ``right`` f64[N] is 1 where the answer was that class.
    """
    clips = np.bincount(truth, weights)
    found = np.bincount(truth, weights * right)
    occurs = clips > 0
    return float(np.mean(found[occurs] / clips[occurs])) if occurs.any() else float("nan")


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """False accepts and false rejects, f64[T] each, of accepting all scores above ``thresholds`` f64[T].

    The first threshold accepts everything, the last nothing.
    """

    thresholds: NDArray[np.float64]
    false_accepts: NDArray[np.float64]
    false_rejects: NDArray[np.float64]


def error_rates(
    scores: NDArray[np.float64], targets: NDArray[np.bool_], weights: NDArray[np.float64]
) -> ErrorRates:
    """Return the error rates at every threshold that tells scores f64[N] apart; equal scores fall together.

    There must be a target and an impostor of some weight.
    """
    order = np.argsort(scores, kind="stable")
    scores, own, other = scores[order], (weights * targets)[order], (weights * ~targets)[order]
    last = np.append(np.diff(scores) > 0, True)
    rejected = np.cumsum(own)[last] / own.sum()
    accepted = 1 - np.cumsum(other)[last] / other.sum()
    return ErrorRates(np.append(-np.inf, scores[last]), np.append(1.0, accepted), np.append(0.0, rejected))


def equal_error_rate(
    scores: NDArray[np.float64], targets: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """Return where false accepts equal false rejects, on the straight line between the two nearest thresholds.

    NaN where there are only targets, or only impostors.
    """
    if not weights[targets].sum() or not weights[~targets].sum():
        return float("nan")
    rates = error_rates(scores, targets, weights)
    gap = rates.false_accepts - rates.false_rejects
    after = int(np.argmax(gap <= 0))  # never 0: the gap falls from 1 to -1
    part = gap[after - 1] / (gap[after - 1] - gap[after])
    before, then = rates.false_accepts[after - 1 : after + 1]
    return float(before + part * (then - before))
