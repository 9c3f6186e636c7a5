"""Temperatures by net seconds of speech recover what is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from undertone_export.confidence import Choice, fit_temperature

RANGE = (0.5, 10.0)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def choices(at_one_second: float, per_log: float, speech: NDArray[np.float64]) -> list[Choice]:
    random = np.random.default_rng(0)
    logits = 3 * random.standard_normal((len(speech), 4))
    honest = softmax(logits / (at_one_second * speech**per_log)[:, None])
    raw = softmax(logits).astype(np.float32)
    return [Choice(p, s, int(random.choice(4, p=q))) for p, s, q in zip(raw, speech, honest, strict=True)]


@pytest.mark.parametrize(("at_one_second", "per_log"), [(0.6, 0.0), (1.0, 0.3), (2.0, -0.3)])
def test_a_known_temperature_is_found(at_one_second: float, per_log: float) -> None:
    speech = np.exp(np.random.default_rng(1).uniform(np.log(0.6), np.log(8), 8000))
    found = fit_temperature(choices(at_one_second, per_log, speech), RANGE)
    assert found.at_one_second == pytest.approx(at_one_second, rel=0.08)
    assert found.per_log == pytest.approx(per_log, abs=0.06)


def test_one_length_says_nothing_of_others() -> None:
    found = fit_temperature(choices(1.5, 0.0, np.full(4000, 1.0)), RANGE)
    assert found.at_one_second == pytest.approx(1.5, rel=0.08)
    assert found.per_log == pytest.approx(0.0, abs=0.02)


def test_the_surely_right_do_not_run_away() -> None:
    sure = [Choice(np.array([0.9, 0.1], np.float32), speech, 0) for speech in (0.7, 2.0, 5.0)] * 5
    found = fit_temperature(sure, RANGE)
    assert 0.2 < found.at_one_second < 8
