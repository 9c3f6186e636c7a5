"""The age that is answered, and the interval around it: split conformal, speakers weighing alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from undertone_service.analysis.estimates import AGE_PIVOT

COVERED = 0.8
_FOLDS = 5
_WORTH_YEARS = 0.1  # a correction that gains less on speakers it was not fitted to is none
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Aged:
    """The age in years that came out over net seconds of speech, and the stated one."""

    speaker: str
    stated: float
    output: float
    speech: float


@dataclass(frozen=True, slots=True)
class AgeFit:
    """The fields of ``Calibration`` that start with ``age_``."""

    age_slope: float
    age_offset: float
    age_low: float
    age_high: float
    age_width_per_log: float
    age_width_per_decade: float


def fit_age(answers: Sequence[Aged], speech_range: tuple[float, float]) -> AgeFit:
    """Fit the interval, and a straight line through the ages where that helps on speakers left out.

    Errors over their expected width are split at their lower and upper tenth, with the correction for a finite
    number of speakers (Lei et al. 2018, section 2.2). The width is log-linear in speech and age, the most likely
    one under Laplace-distributed errors. Speakers weigh alike, whatever the number of their clips and lengths: so
    the interval holds for a speaker of the corpus with the most voices.
    """
    stated = np.array([answer.stated for answer in answers])
    outputs = np.array([answer.output for answer in answers])
    speech = np.log(np.clip([answer.speech for answer in answers], *speech_range))
    names, speaker = np.unique([answer.speaker for answer in answers], return_inverse=True)
    weights = 1 / np.bincount(speaker)[speaker] / len(names)
    slope, offset = 1.0, 0.0
    if debiasing_gain(stated, outputs, weights, speaker) >= _WORTH_YEARS:
        slope, offset = _line(stated, outputs, weights)
    years = offset + slope * outputs
    errors = stated - years
    per_log, per_decade = _width(errors, years, speech, weights)
    ratios = errors / np.exp(per_log * speech + per_decade * (years - AGE_PIVOT) / 10)
    upper = min(1.0, (1 + COVERED) / 2 * (1 + 1 / len(names)))
    low, high = weighted_quantiles(ratios, weights, (1 - upper, upper))
    fitted = (slope, offset, low, high, per_log, per_decade)
    return AgeFit(*(round(float(value), 4) for value in fitted))


def debiasing_gain(stated: _Array, outputs: _Array, weights: _Array, speaker: NDArray[np.int64]) -> float:
    """Return by how many years a line lowers the mean absolute error on speakers that it was not fitted to."""
    count = int(speaker.max()) + 1
    if count < 2 * _FOLDS:
        return 0.0
    fold = (np.random.default_rng(0).permutation(count) % _FOLDS)[speaker]
    corrected = np.empty_like(outputs)
    for left_out in range(_FOLDS):
        kept, tried = fold != left_out, fold == left_out
        slope, offset = _line(stated[kept], outputs[kept], weights[kept])
        corrected[tried] = offset + slope * outputs[tried]
    return float(weights @ (np.abs(stated - outputs) - np.abs(stated - corrected)) / weights.sum())


def weighted_quantiles(values: _Array, weights: _Array, parts: Sequence[float]) -> list[float]:
    """Return the least values that this part of all weight does not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    places = np.minimum(np.searchsorted(reached, np.array(parts) - 1e-9), len(values) - 1)
    return [float(value) for value in values[order][places]]


def _line(stated: _Array, outputs: _Array, weights: _Array) -> tuple[float, float]:
    """Return slope and offset of the least absolute errors."""
    middle = float(outputs.mean())

    def loss(parameters: _Array) -> float:
        slope, shift = parameters
        return float(weights @ np.abs(stated - middle - shift - slope * (outputs - middle)) / weights.sum())

    slope, shift = _least(loss, np.array([1.0, 0.0]))
    return float(slope), float(middle + shift - slope * middle)


def _width(errors: _Array, years: _Array, speech: _Array, weights: _Array) -> tuple[float, float]:
    """Return how the logarithm of the expected error grows with log speech, and with each decade of age."""
    decades = (years - AGE_PIVOT) / 10

    def loss(parameters: _Array) -> float:
        log_width = np.clip(parameters[0] + parameters[1] * speech + parameters[2] * decades, -5, 6)
        likelihood = float(weights @ (log_width + np.abs(errors) / np.exp(log_width)) / weights.sum())
        return likelihood + 1e-3 * float(parameters[1:] @ parameters[1:])

    start = float(np.log(max(weights @ np.abs(errors) / weights.sum(), 1e-2)))
    _, per_log, per_decade = _least(loss, np.array([start, 0.0, 0.0]))
    return float(per_log), float(per_decade)


def _least(loss: Callable[[_Array], float], start: _Array) -> _Array:
    options = {"xatol": 1e-4, "fatol": 1e-7, "maxiter": 4000}
    return np.asarray(minimize(loss, start, method="Nelder-Mead", options=options).x)
