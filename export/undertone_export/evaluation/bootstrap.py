"""Intervals by resampling speakers: clips of one person are not independent evidence (Efron 1979)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.report import Figure

RESAMPLES = 1000
SEED = 0
COVERAGE = 95.0


def figure(speakers: Sequence[str], measure: Callable[[NDArray[np.float64]], float]) -> Figure:
    """Return a measure with its 95 % interval.

    ``speakers`` names the speaker of each of N clips; ``measure`` takes weights f64[N]. A single speaker
    gives no interval; resamples in which the measure does not exist (NaN) are left out.
    """
    names, speaker = np.unique(np.array(speakers), return_inverse=True)
    value = measure(np.ones(len(speaker)))
    if len(names) < 2:
        return Figure(value=value)
    random = np.random.default_rng(SEED)
    draws = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    values = np.array([measure(draw[speaker].astype(np.float64)) for draw in draws])
    values = values[~np.isnan(values)]
    margin = (100 - COVERAGE) / 2
    low, high = np.percentile(values, [margin, 100 - margin])
    return Figure(value=value, low=float(low), high=float(high))
