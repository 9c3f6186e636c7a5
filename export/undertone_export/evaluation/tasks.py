"""Emotion, gender and age of labelled clips. A clip in which no speech is found is an error of each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.hearing import Heard
from undertone_export.evaluation.measures import average_recall, mean
from undertone_export.evaluation.report import AgeMeasure, EmotionMeasure, Figure, GenderMeasure
from undertone_models.data.clips import Clip
from undertone_service.analysis import estimates
from undertone_service.bundle.manifest import Manifest

UNSURE_SEX = frozenset({"wuw2_telephone"})
"""Corpora whose sex labels are right for about nine in ten speakers only."""
TOGETHER = ("saa", "librispeech")
"""Corpora whose gender accuracy is also given as one figure."""
PLAUSIBLE_AGES = (10.0, 90.0)
"""Where nothing was heard, the age counts as wrong by the distance to the farther of these."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled clip, and what was heard of it."""

    clip: Clip
    heard: Heard | None

    @property
    def speaker(self) -> str:
        """The clip's speaker; a clip of an unknown one stands for itself."""
        return self.clip.speaker or str(self.clip.path)


def measure_gender(manifest: Manifest, answered: Iterable[Answered]) -> list[GenderMeasure]:
    """Return the accuracy on each corpus, and on ``TOGETHER`` where all of them are there."""
    corpora = _by_corpus(one for one in answered if one.clip.sex is not None)
    measures = [_gender(manifest, corpus, clips) for corpus, clips in corpora.items()]
    if all(corpus in corpora for corpus in TOGETHER):
        joined = [one for corpus in TOGETHER for one in corpora[corpus]]
        measures.insert(0, _gender(manifest, "+".join(TOGETHER), joined))
    return measures


def _gender(manifest: Manifest, corpus: str, answered: Sequence[Answered]) -> GenderMeasure:
    def right(one: Answered) -> bool:
        heard = one.heard
        return heard is not None and estimates.gender(manifest, heard.outputs).label == one.clip.sex

    return GenderMeasure(
        corpus=corpus,
        speakers=_speakers(answered),
        clips=len(answered),
        unanswered=_unanswered(answered),
        accuracy=_mean(answered, right),
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
    corpora = _by_corpus(one for one in answered if one.clip.age is not None)
    return [
        _age(manifest, corpus, clips, float(np.median(ages[corpus])) if corpus in ages else None)
        for corpus, clips in corpora.items()
    ]


def _age(manifest: Manifest, corpus: str, answered: Sequence[Answered], guess: float | None) -> AgeMeasure:
    def covered(one: Answered) -> bool:
        age = None if one.heard is None else estimates.age(manifest, one.heard.outputs)
        if age is None or age.low is None or age.high is None:
            return False
        return age.low <= _stated(one) <= age.high

    return AgeMeasure(
        corpus=corpus,
        speakers=_speakers(answered),
        clips=len(answered),
        unanswered=_unanswered(answered),
        error=_mean(answered, lambda one: age_error(manifest, one)),
        guess=guess,
        guessing_error=None if guess is None else float(np.mean([abs(_stated(a) - guess) for a in answered])),
        covered=float(np.mean([covered(one) for one in answered])),
    )


def age_error(manifest: Manifest, answered: Answered) -> float:
    """Return how many years the answer is off; where there is none, the most that it plausibly could be."""
    stated = _stated(answered)
    if answered.heard is None:
        return max(abs(stated - bound) for bound in PLAUSIBLE_AGES)
    return abs(answered_age(manifest, answered.heard) - stated)


def answered_age(manifest: Manifest, heard: Heard) -> float:
    """Return the age in years that the service would answer."""
    years = estimates.age(manifest, heard.outputs).years
    assert years is not None
    return years


def measure_emotion(
    manifest: Manifest, answered: Iterable[Answered], labelled: Iterable[Clip]
) -> list[EmotionMeasure]:
    """Return the measures on each corpus over the classes that ``labelled``, all its clips, have."""
    classes: dict[str, set[str]] = defaultdict(set)
    for clip in labelled:
        if clip.emotion is not None:
            classes[clip.corpus].add(clip.emotion)
    corpora = _by_corpus(one for one in answered if one.clip.emotion is not None)
    return [
        _emotion(manifest, corpus, clips, [name for name in manifest.emotions if name in classes[corpus]])
        for corpus, clips in corpora.items()
    ]


def _emotion(
    manifest: Manifest, corpus: str, answered: Sequence[Answered], known: Sequence[str]
) -> EmotionMeasure:
    # Classes that the bundle does not know cannot be answered, and so are never right.
    unknown = sorted({str(one.clip.emotion) for one in answered} - set(known))
    classes = (*known, *unknown)
    columns = [manifest.emotions.index(name) for name in known]
    confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
    truth = np.array([classes.index(str(one.clip.emotion)) for one in answered])
    answers = np.array(
        [
            len(classes) if one.heard is None else int(np.argmax(one.heard.outputs.emotion[columns]))
            for one in answered
        ]
    )
    np.add.at(confusion, (truth, answers), 1)
    right = (truth == answers).astype(np.float64)
    speakers = [one.speaker for one in answered]

    def freely_right(one: Answered) -> bool:
        heard = one.heard
        return heard is not None and estimates.emotion(manifest, heard.outputs).label == one.clip.emotion

    return EmotionMeasure(
        corpus=corpus,
        speakers=len(set(speakers)),
        clips=len(answered),
        unanswered=_unanswered(answered),
        classes=classes,
        accuracy=figure(speakers, lambda weights: mean(right, weights)),
        recall=figure(speakers, lambda weights: average_recall(truth, right, weights)),
        free_accuracy=_mean(answered, freely_right),
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def _by_corpus(answered: Iterable[Answered]) -> dict[str, list[Answered]]:
    corpora: dict[str, list[Answered]] = defaultdict(list)
    for one in answered:
        corpora[one.clip.corpus].append(one)
    return dict(sorted(corpora.items()))


def _mean(answered: Sequence[Answered], value: Callable[[Answered], float]) -> Figure:
    values: NDArray[np.float64] = np.array([value(one) for one in answered], np.float64)
    return figure([one.speaker for one in answered], lambda weights: mean(values, weights))


def _speakers(answered: Iterable[Answered]) -> int:
    return len({one.speaker for one in answered})


def _unanswered(answered: Iterable[Answered]) -> int:
    return sum(one.heard is None for one in answered)


def _stated(answered: Answered) -> float:
    assert answered.clip.age is not None
    return answered.clip.age
