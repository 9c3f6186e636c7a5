"""Emotion, gender and age, corpus by corpus. A clip in which no speech is found is an error of each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from undertone_export.evaluation.answers import (
    UNSURE_SEX,
    Answered,
    average,
    by_corpus,
    chosen,
    classes_of,
    emotion_freely_right,
    gender_right,
    stated_age,
    with_age,
    with_emotion,
    with_sex,
    years_off,
)
from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.measures import average_recall, mean
from undertone_export.evaluation.report import AgeMeasure, EmotionMeasure, GenderMeasure
from undertone_models.data.clips import Clip
from undertone_service.analysis import estimates
from undertone_service.bundle.manifest import Manifest

TOGETHER = ("saa", "librispeech")
"""Corpora whose gender accuracy is also given as one figure."""


def measure_gender(manifest: Manifest, answered: Iterable[Answered]) -> list[GenderMeasure]:
    """Return the accuracy on each corpus, and on ``TOGETHER`` where all of them are there."""
    corpora = by_corpus(with_sex(answered, sure=False))
    measures = [_gender(manifest, corpus, clips) for corpus, clips in corpora.items()]
    if all(corpus in corpora for corpus in TOGETHER):
        joined = [one for corpus in TOGETHER for one in corpora[corpus]]
        measures.insert(0, _gender(manifest, "+".join(TOGETHER), joined))
    return measures


def _gender(manifest: Manifest, corpus: str, answered: Sequence[Answered]) -> GenderMeasure:
    return GenderMeasure(
        corpus=corpus,
        speakers=_speakers(answered),
        clips=len(answered),
        unanswered=_unanswered(answered),
        accuracy=average(answered, gender_right(manifest)),
        unsure=corpus in UNSURE_SEX,
    )


def measure_age(
    manifest: Manifest, answered: Iterable[Answered], training: Iterable[Clip]
) -> list[AgeMeasure]:
    """Return the errors on each corpus, beside those of guessing the median age of its training clips."""
    ages: dict[str, list[float]] = defaultdict(list)
    for clip in training:
        if clip.age is not None:
            ages[clip.corpus].append(clip.age)
    return [
        _age(manifest, corpus, clips, float(np.median(ages[corpus])) if corpus in ages else None)
        for corpus, clips in by_corpus(with_age(answered)).items()
    ]


def _age(manifest: Manifest, corpus: str, answered: Sequence[Answered], guess: float | None) -> AgeMeasure:
    def covered(one: Answered) -> bool:
        age = None if one.heard is None else estimates.age(manifest, one.heard.outputs, one.heard.speech)
        if age is None or age.low is None or age.high is None:
            return False
        return age.low <= stated_age(one) <= age.high

    guessing = None if guess is None else float(np.mean([abs(stated_age(a) - guess) for a in answered]))
    return AgeMeasure(
        corpus=corpus,
        speakers=_speakers(answered),
        clips=len(answered),
        unanswered=_unanswered(answered),
        error=average(answered, years_off(manifest)),
        guess=guess,
        guessing_error=guessing,
        covered=float(np.mean([covered(one) for one in answered])),
    )


def measure_emotion(
    manifest: Manifest, answered: Iterable[Answered], labelled: Iterable[Clip]
) -> list[EmotionMeasure]:
    """Return the measures on each corpus over the classes that ``labelled``, all its clips, have."""
    classes = classes_of(manifest, labelled)
    return [
        _emotion(manifest, corpus, clips, classes[corpus])
        for corpus, clips in by_corpus(with_emotion(manifest, answered)).items()
    ]


def _emotion(
    manifest: Manifest, corpus: str, answered: Sequence[Answered], classes: Sequence[str]
) -> EmotionMeasure:
    confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
    truth = np.array([classes.index(str(one.clip.emotion)) for one in answered])
    answers = np.array(
        [
            len(classes) if one.heard is None else classes.index(chosen(manifest, one.heard, classes))
            for one in answered
        ]
    )
    np.add.at(confusion, (truth, answers), 1)
    right = (truth == answers).astype(np.float64)
    speakers = [one.speaker for one in answered]
    return EmotionMeasure(
        corpus=corpus,
        speakers=len(set(speakers)),
        clips=len(answered),
        unanswered=_unanswered(answered),
        classes=tuple(classes),
        accuracy=figure(speakers, lambda weights: mean(right, weights)),
        recall=figure(speakers, lambda weights: average_recall(truth, right, weights)),
        free_accuracy=average(answered, emotion_freely_right(manifest)),
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def _speakers(answered: Iterable[Answered]) -> int:
    return len({one.speaker for one in answered})


def _unanswered(answered: Iterable[Answered]) -> int:
    return sum(one.heard is None for one in answered)
