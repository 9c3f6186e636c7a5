"""Answers on single labelled clips, and how right each is. A clip in which no speech is found is an error."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.hearing import Heard
from undertone_export.evaluation.measures import mean
from undertone_export.evaluation.report import Figure
from undertone_models.data.clips import Clip
from undertone_service.analysis import estimates
from undertone_service.bundle.manifest import Manifest

UNSURE_SEX = frozenset({"wuw2_telephone"})
"""Corpora whose sex labels are right for about nine in ten speakers only."""
PLAUSIBLE_AGES = (10.0, 90.0)
"""Where nothing was heard, the age counts as wrong by the distance to the farther of these."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled clip, what was heard of it, and the net seconds that VAD and gate found in it."""

    clip: Clip
    heard: Heard | None
    detected: float = 0.0

    @property
    def speaker(self) -> str:
        """The clip's speaker; a clip of an unknown one stands for itself."""
        return self.clip.speaker or str(self.clip.path)

    def after(self, seconds: int) -> "Answered | None":
        """Return the same after the first net seconds; None where there are not so many."""
        if self.heard is None or seconds not in self.heard.first:
            return None
        return replace(self, heard=Heard(self.heard.first[seconds], float(seconds)))


Value = Callable[[Answered], float]


def gender_right(manifest: Manifest) -> Value:
    """Return what tells 1 for the stated sex, else 0."""

    def right(one: Answered) -> float:
        heard = one.heard
        return float(
            heard is not None
            and estimates.gender(manifest, heard.outputs, heard.speech).label == one.clip.sex
        )

    return right


def years_off(manifest: Manifest) -> Value:
    """Return what tells how many years the answer is off; where there is none, the most that it could be."""

    def error(one: Answered) -> float:
        stated = stated_age(one)
        if one.heard is None:
            return max(abs(stated - bound) for bound in PLAUSIBLE_AGES)
        return abs(answered_age(manifest, one.heard) - stated)

    return error


def emotion_right(manifest: Manifest, classes: Mapping[str, Sequence[str]]) -> Value:
    """Return what tells 1 for the said emotion, else 0; only the corpus' own ``classes`` compete."""

    def right(one: Answered) -> float:
        known = classes[one.clip.corpus]
        return float(one.heard is not None and chosen(manifest, one.heard, known) == one.clip.emotion)

    return right


def emotion_freely_right(manifest: Manifest) -> Value:
    """Return what tells 1 for the said emotion, else 0; all emotions of the bundle compete."""

    def right(one: Answered) -> float:
        heard = one.heard
        return float(
            heard is not None
            and estimates.emotion(manifest, heard.outputs, heard.speech).label == one.clip.emotion
        )

    return right


def chosen(manifest: Manifest, heard: Heard, classes: Sequence[str]) -> str:
    """Return the most probable of some classes that the bundle knows."""
    columns = [manifest.emotions.index(name) for name in classes]
    return classes[int(np.argmax(heard.outputs.emotion[columns]))]


def classes_of(manifest: Manifest, labelled: Iterable[Clip]) -> dict[str, list[str]]:
    """Return, of each corpus, the emotions that its clips have and that the bundle knows, in the bundle's order."""
    said: dict[str, set[str]] = defaultdict(set)
    for clip in labelled:
        if clip.emotion is not None:
            said[clip.corpus].add(clip.emotion)
    return {corpus: [name for name in manifest.emotions if name in names] for corpus, names in said.items()}


def answered_age(manifest: Manifest, heard: Heard) -> float:
    """Return the age in years that the service would answer."""
    years = estimates.age(manifest, heard.outputs, heard.speech).years
    assert years is not None
    return years


def stated_age(answered: Answered) -> float:
    """Return the age that the labels state."""
    assert answered.clip.age is not None
    return answered.clip.age


def with_sex(answered: Iterable[Answered], *, sure: bool = True) -> list[Answered]:
    """Return the clips of known sex; of ``sure`` ones unless told otherwise."""
    return [one for one in answered if one.clip.sex and not (sure and one.clip.corpus in UNSURE_SEX)]


def with_age(answered: Iterable[Answered]) -> list[Answered]:
    """Return the clips of known age."""
    return [one for one in answered if one.clip.age is not None]


def with_emotion(manifest: Manifest, answered: Iterable[Answered]) -> list[Answered]:
    """Return the clips with an emotion that the bundle knows."""
    return [one for one in answered if one.clip.emotion in manifest.emotions]


def by_corpus(answered: Iterable[Answered]) -> dict[str, list[Answered]]:
    """Return the clips of each corpus."""
    corpora: dict[str, list[Answered]] = defaultdict(list)
    for one in answered:
        corpora[one.clip.corpus].append(one)
    return dict(sorted(corpora.items()))


def average(answered: Sequence[Answered], value: Value) -> Figure:
    """Return the mean of a value over clips, with its interval over speakers."""
    values: NDArray[np.float64] = np.array([value(one) for one in answered], np.float64)
    return figure([one.speaker for one in answered], lambda weights: mean(values, weights))
