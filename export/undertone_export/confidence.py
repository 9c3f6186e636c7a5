"""Temperatures by net seconds of speech: a confidence of 0.8 is to be right in eight cases of ten, at any length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

_STEADY = 1e-3  # keeps the dependence on speech at none where there is one length only


@dataclass(frozen=True, slots=True)
class Choice:
    """Raw probabilities f32[N] over net seconds of speech, and the index of the true class."""

    probabilities: NDArray[np.float32]
    speech: float
    truth: int


@dataclass(frozen=True, slots=True)
class Temperature:
    """T(s) = ``at_one_second`` * s ** ``per_log``, s being net seconds of speech."""

    at_one_second: float
    per_log: float


def fit_temperature(choices: Sequence[Choice], speech_range: tuple[float, float]) -> Temperature:
    """Return the temperature that makes the true answers most likely (Guo et al. 2017, section 4.2), by length.

    Each choice weighs the same. Speech is held to ``speech_range``, as the service does.
    """
    logs = np.log(np.maximum(np.stack([c.probabilities for c in choices]).astype(np.float64), 1e-12))
    truth = np.array([choice.truth for choice in choices])
    speech = np.log(np.clip([choice.speech for choice in choices], *speech_range))

    def loss(parameters: NDArray[np.float64]) -> float:
        temperature = np.exp(np.clip(parameters[0] + parameters[1] * speech, -1.5, 2.0))
        scaled = logs / temperature[:, None]
        top = scaled.max(axis=1)
        normaliser = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        missed = float(np.mean(normaliser - scaled[np.arange(len(truth)), truth]))
        return missed + _STEADY * float(parameters[1] ** 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}).x
    # Within what the loss tells apart: beyond, the fit is flat and the numbers mean nothing.
    ends = np.clip(found[0] + found[1] * np.log(speech_range), -1.5, 2.0)
    per_log = float(np.diff(ends)[0] / np.diff(np.log(speech_range))[0])
    at_one = float(ends[0] - per_log * np.log(speech_range[0]))
    return Temperature(round(float(np.exp(at_one)), 4), round(per_log, 4))
