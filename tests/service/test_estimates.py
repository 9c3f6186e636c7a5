"""Raw outputs to calibrated answers, and null where there was too little speech."""

import numpy as np
import pytest

from tests.service.manifests import manifest, outputs
from undertone_service.analysis.estimates import age, emotion, estimate, gender, noise_silences, tempered
from undertone_service.bundle.manifest import Calibration, MinimumSnr, MinimumSpeech
from undertone_service.protocol.labels import EMOTIONS, Task, age_band
from undertone_service.protocol.messages import Estimate

ALL = frozenset(Task)


def test_emotion_is_the_likeliest_label_with_scores_that_sum_to_one() -> None:
    answer = emotion(manifest(), outputs(emotion=[0.1, 0.05, 0.5, 0.05, 0.1, 0.05, 0.05, 0.05, 0.05]), 1.0)
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
    assert emotion(soft, raw, 1.0).confidence < emotion(manifest(), raw, 1.0).confidence == 0.92
    assert gender(soft, raw, 1.0).confidence < gender(manifest(), raw, 1.0).confidence == 0.9
    assert gender(soft, raw, 1.0).label == "female"


def test_the_temperatures_know_the_seconds_of_speech() -> None:
    falling = Calibration(emotion_temperature_per_log=-0.5, gender_temperature_per_log=-0.5)
    raw = outputs(emotion=[0.92, *[0.01] * 8], gender=[0.9, 0.1])
    for answer in (emotion, gender):
        said = [
            answer(manifest(calibration=falling), raw, speech).confidence for speech in (0.1, 0.5, 1.0, 4.0)
        ]
        assert said[0] == said[1] < said[2] < said[3]
        assert said[2] == answer(manifest(), raw, 1.0).confidence
    twice = tempered(raw.gender, 4.0**-0.5)[0]
    assert gender(manifest(calibration=falling), raw, 4.0).confidence == pytest.approx(twice, abs=1e-4)


def test_the_age_interval_knows_speech_and_age() -> None:
    known = manifest(calibration=Calibration(age_low=-5, age_high=10, age_width_per_log=-0.5))
    assert (age(known, outputs(age=40), 4.0).low, age(known, outputs(age=40), 4.0).high) == (37.5, 45.0)
    older = manifest(
        calibration=Calibration(age_low=-5, age_high=10, age_width_per_decade=0.6931471805599453)
    )
    assert (age(older, outputs(age=50), 1.0).low, age(older, outputs(age=50), 1.0).high) == (40.0, 70.0)


def test_the_age_may_be_corrected_by_a_line() -> None:
    answer = age(
        manifest(calibration=Calibration(age_slope=0.5, age_offset=20, age_low=-1, age_high=1)),
        outputs(age=60),
        1.0,
    )
    assert (answer.years, answer.low, answer.high, answer.band) == (50.0, 49.0, 51.0, "fifties")


def test_age_has_its_interval_and_band() -> None:
    answer = age(manifest(calibration=Calibration(age_low=-7, age_high=9)), outputs(age=34.24), 1.0)
    assert (answer.years, answer.low, answer.high, answer.band) == (34.2, 27.2, 43.2, "thirties")


@pytest.mark.parametrize(("years", "bounds"), [(3.0, (0.0, 15.0)), (-5.0, (0.0, 12.0)), (109, (101, 110))])
def test_an_age_interval_stays_within_a_life(years: float, bounds: tuple[float, float]) -> None:
    answer = age(manifest(), outputs(age=years), 1.0)
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


def test_a_task_in_too_much_noise_is_null() -> None:
    clear = manifest(minimum_snr=MinimumSnr(emotion=8.0, gender=3.0))
    answers = [estimate(clear, outputs(), 5.0, ALL, snr_db) for snr_db in (2.9, 3.0, 8.0, None)]
    found = [tuple(part is not None for part in (a.emotion, a.gender, a.age)) for a in answers]
    assert found == [(False, False, True), (False, True, True), (True, True, True), (True, True, True)]
    assert [noise_silences(clear, ALL, snr_db) for snr_db in (7.9, 8.0, None)] == [True, False, False]
    assert not noise_silences(clear, frozenset({Task.AGE, Task.GENDER}), 5.0)


def test_only_what_was_asked_for_is_answered() -> None:
    answer = estimate(manifest(), outputs(), 10.0, frozenset({Task.GENDER}))
    assert answer.gender is not None
    assert answer.emotion is None
    assert answer.age is None


def test_no_speech_no_answer() -> None:
    assert estimate(manifest(), None, 0.0, ALL) == Estimate()
