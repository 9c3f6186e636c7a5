"""Raw outputs to calibrated answers, and null where there was too little speech."""

import numpy as np
import pytest

from tests.service.manifests import manifest, outputs
from undertone_service.analysis.estimates import age, emotion, estimate, gender, tempered
from undertone_service.bundle.manifest import Calibration, MinimumSpeech
from undertone_service.protocol.labels import EMOTIONS, Task, age_band
from undertone_service.protocol.messages import Estimate

ALL = frozenset(Task)


def test_emotion_is_the_likeliest_label_with_scores_that_sum_to_one() -> None:
    answer = emotion(manifest(), outputs(emotion=[0.1, 0.05, 0.5, 0.05, 0.1, 0.05, 0.05, 0.05, 0.05]))
    assert (answer.label, answer.confidence) == ("happiness", 0.5)
    assert tuple(answer.scores) == EMOTIONS
    assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-3)


def test_temperature_softens_and_keeps_the_order() -> None:
    probabilities = np.array([0.7, 0.2, 0.1], np.float32)
    np.testing.assert_allclose(tempered(probabilities, 1.0), probabilities, rtol=1e-6)
    soft = tempered(probabilities, 2.0)
    assert soft.sum() == pytest.approx(1)
    assert 1 / 3 < soft[0] < 0.7
    assert soft[0] > soft[1] > soft[2]
    np.testing.assert_allclose(soft**2 / (soft**2).sum(), probabilities, rtol=1e-5)


def test_certainty_itself_survives_calibration() -> None:
    assert np.isfinite(tempered(np.array([1, 0], np.float32), 3.0)).all()


def test_the_temperatures_are_those_of_the_manifest() -> None:
    soft = manifest(calibration=Calibration(emotion_temperature=4.0, gender_temperature=4.0))
    raw = outputs(emotion=[0.92, *[0.01] * 8], gender=[0.9, 0.1])
    assert emotion(soft, raw).confidence < emotion(manifest(), raw).confidence == 0.92
    assert gender(soft, raw).confidence < gender(manifest(), raw).confidence == 0.9
    assert gender(soft, raw).label == "female"


def test_age_has_its_interval_and_band() -> None:
    answer = age(manifest(calibration=Calibration(age_low=-7, age_high=9)), outputs(age=34.24))
    assert (answer.years, answer.low, answer.high, answer.band) == (34.2, 27.2, 43.2, "thirties")


@pytest.mark.parametrize(("years", "bounds"), [(3.0, (0.0, 15.0)), (-5.0, (0.0, 12.0)), (109, (101, 110))])
def test_an_age_interval_stays_within_a_life(years: float, bounds: tuple[float, float]) -> None:
    answer = age(manifest(), outputs(age=years))
    assert (answer.low, answer.high) == bounds


@pytest.mark.parametrize(
    ("years", "band"), [(0, "teens"), (19.9, "teens"), (20, "twenties"), (59.9, "fifties"), (104, "sixties+")]
)  # fmt: skip
def test_bands(years: float, band: str) -> None:
    assert age_band(years) == band


def test_a_task_with_too_little_speech_is_null() -> None:
    least = manifest(minimum_speech=MinimumSpeech(emotion=0.5, gender=0.3, age=0.7))
    answers = [estimate(least, outputs(), speech, ALL) for speech in (0.2, 0.3, 0.5, 0.7)]
    found = [tuple(part is not None for part in (a.emotion, a.gender, a.age)) for a in answers]
    assert found == [(False, False, False), (False, True, False), (True, True, False), (True, True, True)]


def test_only_what_was_asked_for_is_answered() -> None:
    answer = estimate(manifest(), outputs(), 10.0, frozenset({Task.GENDER}))
    assert answer.gender is not None
    assert answer.emotion is None
    assert answer.age is None


def test_no_speech_no_answer() -> None:
    assert estimate(manifest(), None, 0.0, ALL) == Estimate()
