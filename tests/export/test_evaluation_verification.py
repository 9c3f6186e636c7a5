"""Trials: how voices are enrolled, what is scored, what counts as an error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.export.evaluation_answers import heard
from undertone_export.evaluation.conditions import Excerpt
from undertone_export.evaluation.hearing import Heard, Hearing
from undertone_export.evaluation.verification import (
    HEADLINE,
    LENGTHS,
    excerpts,
    measure_verification,
    score_first_seconds,
    score_trials,
    speakers_by_path,
)
from undertone_export.recordings import join_voices
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_service.store.voices import Recording, combine


class Known(Hearing):
    """A hearing that has already happened."""

    def __init__(self, answers: dict[Excerpt, Heard]) -> None:
        super().__init__()
        self._heard = answers


def trial(
    enroll: str, probe: str, target: bool, *, condition: str = "same-session", cut1: int | None = None
) -> Trial:
    return Trial(
        (Path(enroll),), Path(probe), target, condition, "saa", 2.0, {1: cut1, 3: None, 5: None}
    )  # fmt: skip


def test_enrolment_joins_recordings_as_the_store_does() -> None:
    recordings = [heard(voice=(1.0, 0.2), speech=4.0), heard(voice=(0.1, 1.0), speech=1.5)]
    stored = [
        Recording("", "", one.outputs.voiceprint, one.speech, 0.0, None, 0.0, 8000, "") for one in recordings
    ]
    joined = join_voices((one.speech, one.outputs.voiceprint) for one in recordings)
    assert joined is not None
    np.testing.assert_allclose(joined, combine(stored).vector, atol=1e-7)
    assert join_voices([]) is None


def test_what_was_not_heard_is_scored_as_surely_wrong() -> None:
    answers = {Excerpt(Path("a")): heard(voice=(1.0, 0.0)), Excerpt(Path("b")): heard(voice=(0.6, 0.8))}
    trials = [
        trial("a", "b", True), trial("a", "silent", True), trial("a", "silent", False), trial("silent", "b", False)
    ]  # fmt: skip
    scored = score_trials(trials, Known(answers), None)
    assert [one.score for one in scored] == [pytest.approx(0.6), -1.0, 1.0, 1.0]
    assert [one.unanswered for one in scored] == [False, True, True, True]


def test_a_cut_probe_is_a_recording_of_its_own_and_an_empty_cut_no_trial() -> None:
    trials = [trial("a", "b", True, cut1=16000), trial("a", "c", False)]
    assert list(dict.fromkeys(excerpts(trials))) == [
        Excerpt(Path("a"), enrolled=True), Excerpt(Path("b")), Excerpt(Path("b"), 16000), Excerpt(Path("c"))
    ]  # fmt: skip
    answers = {Excerpt(Path("a")): heard(), Excerpt(Path("b"), 16000): heard(voice=(0.0, 1.0))}
    scored = score_trials(trials, Known(answers), 1)
    assert [(one.trial, one.score) for one in scored] == [(trials[0], pytest.approx(0.0))]
    assert score_trials(trials, Known(answers), 3) == []


def test_one_word_trials_stay_out_of_the_headline() -> None:
    answers = {
        Excerpt(Path("a")): heard(voice=(1.0, 0.0)), Excerpt(Path("b")): heard(voice=(0.0, 1.0))
    }  # fmt: skip
    trials = [
        trial("a", "a", True), trial("a", "b", False),
        trial("a", "b", True, condition="one-word same-session"),
        trial("a", "a", False, condition="one-word same-session"),
    ]  # fmt: skip
    hearing = Known(answers)
    scored = {length: score_trials(trials, hearing, length) for length in LENGTHS}
    clips = [Clip(Path("a"), "saa", "saa_1"), Clip(Path("b"), "saa", "saa_2")]
    measures = {(m.condition, m.seconds): m for m in measure_verification(scored, speakers_by_path(clips))}
    assert set(measures) == {(HEADLINE, None), ("same-session", None), ("one-word same-session", None)}
    headline, words = measures[HEADLINE, None], measures["one-word same-session", None]
    assert headline.error_rate is not None
    assert headline.error_rate.value == 0.0
    assert (headline.targets, headline.impostors, headline.speakers) == (1, 1, 2)
    assert words.error_rate is not None
    assert words.error_rate.value == 1.0


def test_targets_alone_give_no_rate() -> None:
    scored = score_trials([trial("a", "a", True)], Known({Excerpt(Path("a")): heard()}), None)
    assert all(measure.error_rate is None for measure in measure_verification({None: scored}, {}))


def test_first_seconds_are_scored_beside_the_same_probes_in_full() -> None:
    early = heard(voice=(0.0, 1.0)).outputs
    answers = {
        Excerpt(Path("a")): heard(voice=(1.0, 0.0)),
        Excerpt(Path("b")): replace(heard(voice=(1.0, 0.0), speech=4.0), first={1: early}),
    }
    trials = [trial("a", "b", True), trial("a", "a", True)]
    first, whole = score_first_seconds(trials, Known(answers), 1)
    assert [(one.trial, one.score, one.speech) for one in first] == [(trials[0], pytest.approx(0.0), 1.0)]
    assert [(one.trial, one.score, one.speech) for one in whole] == [(trials[0], pytest.approx(1.0), 4.0)]
