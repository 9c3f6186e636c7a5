"""Reliability, risk and coverage, answers by seconds and by group, against what can be reckoned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.evaluation_answers import heard, manifest
from undertone_export.evaluation.abstention import measure_answered, measure_risk, risk_by_coverage
from undertone_export.evaluation.answers import Answered
from undertone_export.evaluation.by_seconds import measure_clips_by_seconds
from undertone_export.evaluation.hearing import Heard
from undertone_export.evaluation.reliability import measure_reliability, reliability
from undertone_export.evaluation.slices import measure_slices
from undertone_export.evaluation.verification import Scored
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial


def answered(number: int, answer: Heard | None, *, detected: float = 3.0, **labels: object) -> Answered:
    clip = Clip(Path(f"{number}.wav"), "acted", f"acted_{number}", **labels)  # type: ignore[arg-type]
    return Answered(clip, answer, detected)


def test_calibrated_answers_err_by_chance_alone_and_boastful_ones_by_more() -> None:
    random = np.random.default_rng(3)
    confidence = random.uniform(0.3, 1.0, 3000)
    right = (random.random(3000) < confidence).astype(float)
    honest = reliability("emotion", confidence, right, np.ones(3000))
    assert honest.excess == pytest.approx(0.0, abs=0.01)
    assert 0 < honest.perfect < 0.03
    boastful = reliability("emotion", np.minimum(confidence + 0.15, 1.0), right, np.ones(3000))
    assert boastful.excess > 0.08


def test_bins_hold_equal_mass_and_weights_count_like_copies() -> None:
    confidence, right = np.linspace(0.05, 0.95, 20), np.ones(20)
    plain = reliability("gender", confidence, right, np.ones(20))
    assert [one.share for one in plain.bins] == pytest.approx([0.1] * 10)
    assert plain.bins[0].confidence == pytest.approx(np.mean(confidence[:2]))
    assert plain.error == pytest.approx(0.5)
    weighted = reliability("gender", np.array([0.2, 0.9]), np.array([0.0, 1.0]), np.array([3.0, 1.0]))
    assert weighted.error == pytest.approx((3 * 0.2 + 0.1) / 4)


def test_verification_states_a_prior_of_a_half_however_many_impostors() -> None:
    trials = [
        Trial((Path("e"),), Path("p"), target, "same-session", "saa", 3.0, {}) for target in (True, False)
    ]
    scored = [Scored(trials[0], 1.0, False, 3.0), *[Scored(trials[1], -1.0, False, 3.0)] * 9]
    unheard = Scored(trials[0], -1.0, True)
    (measure,) = measure_reliability(manifest(), [], {None: [*scored, unheard]})
    assert (measure.task, measure.answers) == ("verification", 10)
    assert sum(one.share * one.accuracy for one in measure.bins) == pytest.approx(0.5)
    assert measure.error < 0.01


def test_silence_is_abstained_from_first() -> None:
    sure, unsure = heard(emotion={"anger": 0.9}), heard(emotion={"anger": 0.4, "fear": 0.3})
    clips = [
        answered(0, unsure, emotion="fear"),
        answered(1, None, emotion="anger"),
        *(answered(i, sure, emotion="anger") for i in range(2, 10)),
    ]
    risk = measure_risk(manifest(), clips)
    assert risk is not None
    assert [one.accuracy.value for one in risk.accuracies] == pytest.approx([0.8, 8 / 9, 1.0, 1.0])
    assert risk.area == pytest.approx((1 / 9 + 2 / 10) / 10)
    assert measure_risk(manifest(), [answered(0, sure, sex="male")]) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_the_risk_of_all_is_the_share_of_errors(answers: list[tuple[float, bool]]) -> None:
    confidence, right = np.array(answers, np.float64).T
    curve = risk_by_coverage(confidence, right)
    assert curve[-1] == pytest.approx(1 - right.mean())
    assert ((curve >= 0) & (curve <= 1)).all()


def test_null_counts_as_unanswered_where_there_was_speech_enough() -> None:
    clips = [
        answered(0, heard(speech=2.5), sex="male"),
        answered(1, heard(speech=0.1), sex="male"),  # the encoder heard hardly any of it
        answered(2, None, sex="male"),
        answered(3, None, sex="male", detected=1.9),
    ]
    (measure,) = measure_answered(manifest(), clips)
    assert (measure.task, measure.clips, measure.answered.value) == ("gender", 3, pytest.approx(1 / 3))


def test_first_seconds_stand_beside_the_same_clips_in_full() -> None:
    late = replace(heard(gender="male", speech=2.5), first={1: heard(gender="female").outputs})
    clips = [answered(i, late if i < 25 else heard(), sex="male") for i in range(40)]
    (measure,) = measure_clips_by_seconds(manifest(), clips, [one.clip for one in clips])
    assert (measure.task, measure.seconds, measure.clips) == ("gender", 1, 25)
    assert (measure.first.value, measure.whole) == (0.0, 1.0)


def test_groups_are_measured_by_what_they_have() -> None:
    clips = [
        answered(0, heard(gender="male"), sex="male", age=64.0, language="en"),
        answered(
            1, heard(gender="male", emotion={"anger": 0.8}), sex="female", emotion="fear", language="pl"
        ),
        answered(2, heard(emotion={"anger": 0.9}), sex="female", emotion="anger", language="pl"),
    ]
    trials = [
        Trial((Path("e"),), Path("0.wav"), target, "same-session", "acted", 3.0, {})
        for target in (True,) * 20 + (False,)
    ]
    scored = [Scored(trial, 0.9 if trial.target else 0.1, False, 3.0) for trial in trials]
    slices = {
        (one.by, one.group): one for one in measure_slices(manifest(), clips, scored, [c.clip for c in clips])
    }
    assert list(slices) == [
        ("sex", "female"), ("sex", "male"), ("age", "sixties+"), ("language", "en"), ("language", "pl"),
        ("corpus", "acted"),
    ]  # fmt: skip
    women, men = slices["sex", "female"], slices["sex", "male"]
    assert women.gender is not None
    assert women.emotion is not None
    assert (women.gender.value, women.emotion.value, women.age, women.verification) == (0.5, 0.5, None, None)
    assert men.age is not None
    assert men.verification is not None
    assert (men.age.value, men.verification.value) == (24.0, 0.0)
    fewer = measure_slices(manifest(), clips, scored[1:], [c.clip for c in clips])
    assert all(one.verification is None for one in fewer)  # 19 targets
