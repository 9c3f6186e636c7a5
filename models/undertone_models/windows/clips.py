"""Clips as windows of fixed length with their labels as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.networks.published.heads import Classes
from undertone_models.training.augment import add_noise
from undertone_models.windows.recipes import Task, WindowAugment
from undertone_service.dsp import SAMPLE_RATE
from undertone_service.protocol.labels import AGE_BANDS, EMOTIONS, GENDERS, age_band

UNKNOWN = -1
_ENVELOPE = SAMPLE_RATE // 20


@dataclass(frozen=True)
class Labels:
    """What a network tells apart, in the order of its outputs; a task that is not learnt is empty.

    ``sex_emotion`` holds pairs such as ``female anger``; ``merge`` names emotions that count as another.
    """

    emotion: tuple[str, ...] = ()
    gender: tuple[str, ...] = ()
    age_band: tuple[str, ...] = ()
    sex_emotion: tuple[str, ...] = ()
    speaker: tuple[str, ...] = ()
    years: bool = False
    merge: Mapping[str, str] | None = None

    def classes(self) -> Classes:
        """Return how many of each there are."""
        return Classes(
            emotions=len(self.emotion),
            genders=len(self.gender),
            age_bands=len(self.age_band),
            years=self.years,
            sex_emotions=len(self.sex_emotion),
            speakers=len(self.speaker),
        )

    def target(self, task: Task, clip: Clip) -> float:
        """Return a clip's class, or its age in years; -1 or not a number where it is unknown."""
        if task == "age":
            return float("nan") if clip.age is None else clip.age
        names: tuple[str, ...] = getattr(self, task)
        name = self.name(task, clip)
        return names.index(name) if name in names else UNKNOWN

    def name(self, task: Task, clip: Clip) -> str | None:
        """Return what a clip is called; None where that is unknown."""
        if task == "age":
            return None if clip.age is None else str(clip.age)
        if task == "speaker":
            return clip.speaker or None
        if task == "gender":
            return clip.sex
        if task == "age_band":
            return clip.age_band if clip.age is None else age_band(clip.age)
        emotion = (self.merge or {}).get(clip.emotion or "", clip.emotion)
        if task == "emotion":
            return emotion
        return f"{clip.sex} {emotion}" if clip.sex and emotion else None


def find_labels(clips: Sequence[Clip], tasks: Sequence[Task], merge: Mapping[str, str]) -> Labels:
    """Return the classes that occur in the clips to train on, of the tasks to learn, in the order of the words."""
    known = Labels(merge=dict(merge))
    pairs = [f"{sex} {emotion}" for sex in GENDERS for emotion in EMOTIONS]
    words: dict[Task, Sequence[str]] = {
        "emotion": EMOTIONS,
        "gender": GENDERS,
        "age_band": AGE_BANDS,
        "sex_emotion": pairs,
        "speaker": sorted({clip.speaker for clip in clips if clip.speaker}),
    }
    found: dict[str, tuple[str, ...]] = {}
    for task, names in words.items():
        if task in tasks:
            occurring = {known.name(task, clip) for clip in clips}
            found[task] = tuple(name for name in names if name in occurring)
    return Labels(**found, years="age" in tasks, merge=dict(merge))


class Windows:
    """Draws clips as windows f32[N]: the longer are cut, the shorter have zeros in front, as when they are served."""

    def __init__(
        self, clips: Sequence[Clip], cache: AudioCache, labels: Labels, length: int, drop_below: float = 0.0
    ) -> None:
        self.clips = clips
        self._cache = cache
        self._labels = labels
        self._length = length
        self._drop_below = drop_below

    def of(self, clips: Sequence[Clip]) -> "Windows":
        """Return the same of other clips."""
        return Windows(clips, self._cache, self._labels, self._length, self._drop_below)

    def draw(
        self,
        indices: Sequence[int],
        augment: WindowAugment | None = None,
        random: np.random.Generator | None = None,
        noisy: Sequence[bool] = (),
        length: int | None = None,
    ) -> Tensor:
        """Return f32[B, N]; with ``random`` cut anywhere and augmented, without it cut to the first N.

        N is ``length``, or the network's window.
        """
        length = length or self._length
        rows = np.zeros((len(indices), length), np.float32)
        for number, index in enumerate(indices):
            samples = self._cache[self.clips[index].path]
            if self._drop_below:
                samples = drop_quiet(samples, self._drop_below)
            if random is not None and augment is not None:
                samples = _augmented(samples, augment, random, bool(noisy) and noisy[number])
            start = 0
            if random is not None and len(samples) > length:
                start = int(random.integers(len(samples) - length + 1))
            part = samples[start : start + length]
            rows[number, length - len(part) :] = part
        return torch.from_numpy(rows)

    def targets(self, indices: Sequence[int], tasks: Sequence[Task]) -> dict[Task, Tensor]:
        """Return the labels of each task: i64[B], of age f32[B]."""
        found: dict[Task, Tensor] = {}
        for task in tasks:
            values = [self._labels.target(task, self.clips[index]) for index in indices]
            found[task] = torch.tensor(values, dtype=torch.float32 if task == "age" else torch.int64)
        return found


def drop_quiet(samples: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return f32[m] without what lies, by a rolling mean of |x| over 50 ms, under a share of the envelope's largest."""
    magnitude = np.abs(samples)
    sums = np.cumsum(np.concatenate([np.zeros(_ENVELOPE // 2 + 1), magnitude, np.zeros(_ENVELOPE // 2)]))
    envelope = (sums[_ENVELOPE:] - sums[:-_ENVELOPE])[: len(samples)] / _ENVELOPE
    kept = envelope >= share * envelope.max()
    return samples[kept] if kept.any() else samples


def _augmented(
    samples: NDArray[np.float32], augment: WindowAugment, random: np.random.Generator, noisy: bool
) -> NDArray[np.float32]:
    if augment.speed:
        factor = 1 + random.uniform(-1, 1) * augment.speed
        samples = soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="LQ")
    if noisy:
        noise = random.standard_normal(len(samples)).astype(np.float32)
        samples = add_noise(samples, noise, float(random.uniform(*augment.noise_snr_db)))
    low, high = augment.value
    if (low, high) != (1.0, 1.0):
        samples = np.clip(samples * np.float32(random.uniform(low, high)), -1, 1)
    return samples
