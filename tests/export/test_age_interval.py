"""The age interval holds what it says, for the service's own answers."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.manifests import manifest, outputs
from undertone_export.age_interval import Aged, debiasing_gain, fit_age, weighted_quantiles
from undertone_service.analysis import estimates
from undertone_service.bundle.manifest import Calibration

RANGE = (0.5, 10.0)


def answers(count: int, seed: int, slope: float = 1.0, spread: float = 4.0) -> list[Aged]:
    """Return five answers to each speaker, more wrong for the old and the short; heavy-tailed."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        stated = float(random.uniform(18, 75))
        for _ in range(5):
            speech = float(np.exp(random.uniform(np.log(0.7), np.log(8))))
            scale = spread * speech**-0.3 * np.exp(0.25 * (stated - 40) / 10)
            made.append(
                Aged(f"s{number}", stated, 40 + (stated - 40) / slope + random.laplace(0, scale), speech)
            )
    return made


def covered(fitted: Calibration, tried: list[Aged]) -> float:
    service = manifest(calibration=fitted)
    found = [(estimates.age(service, outputs(age=a.output), a.speech), a.stated) for a in tried]
    return float(np.mean([float(age.low or 0) <= stated <= float(age.high or 0) for age, stated in found]))


def test_the_service_covers_four_in_five_of_other_speakers() -> None:
    fitted = Calibration(**asdict(fit_age(answers(300, 0), RANGE)))
    tried = answers(300, 1)
    assert covered(fitted, tried) == pytest.approx(0.8, abs=0.05)
    assert fitted.age_width_per_log < 0 < fitted.age_width_per_decade
    for part in ([a for a in tried if a.output < 40], [a for a in tried if a.speech < 1.5]):
        assert covered(fitted, part) == pytest.approx(0.8, abs=0.1)


def test_a_line_is_drawn_only_where_it_helps_others() -> None:
    straight = fit_age(answers(200, 0, spread=0.5), RANGE)
    assert (straight.age_slope, straight.age_offset) == (1.0, 0.0)
    bent = fit_age(answers(200, 0, slope=0.5, spread=0.5), RANGE)
    assert 0.4 < bent.age_slope < 0.7


def test_too_few_speakers_correct_nothing() -> None:
    few = answers(9, 0, slope=0.5)
    stated, found = np.array([a.stated for a in few]), np.array([a.output for a in few])
    speaker = np.repeat(np.arange(9), 5)
    assert debiasing_gain(stated, found, np.ones(45), speaker) == 0.0


def test_a_speaker_with_many_clips_weighs_as_one() -> None:
    many = [Aged("loud", 80.0, 40.0, 2.0)] * 500
    fitted = fit_age([*answers(100, 0), *many], RANGE)
    assert fitted.age_high < 20


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_is_a_value_that_enough_do_not_exceed(values: list[float], part: float) -> None:
    known = np.array(values)
    (found,) = weighted_quantiles(known, np.ones(len(known)), (part,))
    assert found in values
    assert np.mean(known <= found) >= part - 1e-6
