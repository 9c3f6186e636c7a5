"""Random crops of labelled speech as the encoder's active steps, batch after batch, the same for the same seed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.teachers.pretrained import SIZE as TAUGHT
from undertone_models.teachers.voices import TaughtVoices
from undertone_models.training.augment import Augmenter, cut
from undertone_models.training.synthetic_noise import synthetic_noise
from undertone_models.training.team import Team
from undertone_service.dsp import FRAMES_PER_STEP, SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.speech import active_steps
from undertone_service.protocol.labels import EMOTIONS, GENDERS

UNKNOWN = -1


@dataclass(frozen=True)
class SamplingSettings:
    """What a batch is made of; a group of n clips (corpus or speaker) weighs n to the power ``flatness``."""

    batch: int = 64
    crop_seconds: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.5)
    emotional: float = 0.5
    """Part of a batch drawn from clips with an emotion; the rest from all speakers alike. Half of it where crops
    are shorter than ``emotional_seconds``: actors take their time."""
    emotional_seconds: float = 1.5
    non_speech: float = 0.05
    flatness: float = 0.6
    corpus_weights: Mapping[str, float] = field(default_factory=dict)
    """Extra weight of a corpus within its part of the batch; 1 if absent."""


@dataclass(frozen=True)
class Batch:
    """Active steps of B crops, and what is known of each (-1 or NaN where nothing is).

    samples f32[B, T, 1600], mask f32[B, T, 5], first bool[B, T], speech f32[B, T, 5] (truth of the speech
    output), speaker i64[B], emotion i64[B], allowed bool[B, 9] (emotions that the corpus has), gender i64[B],
    age f32[B], taught f32[B, 256] (the teacher's voiceprint; zeros where there is none).
    """

    samples: Tensor
    mask: Tensor
    first: Tensor
    speech: Tensor
    speaker: Tensor
    emotion: Tensor
    allowed: Tensor
    gender: Tensor
    age: Tensor
    taught: Tensor


@dataclass(frozen=True)
class Example:
    """A clip with its labels as numbers; no clip stands for a sound that is no speech."""

    clip: Clip | None
    speaker: int = UNKNOWN
    emotion: int = UNKNOWN
    allowed: tuple[bool, ...] = (True,) * len(EMOTIONS)
    gender: int = UNKNOWN
    age: float = float("nan")
    taught: NDArray[np.float32] | None = None


def examples(
    clips: Sequence[Clip], unsure_gender: Sequence[str] = (), voices: TaughtVoices | None = None
) -> tuple[list[Example], list[str]]:
    """Return clips with labels as numbers, and the speakers in the order of their numbers.

    A clip without a speaker's name teaches every task but identity.
    ``unsure_gender`` names corpora whose sex labels are too often wrong to learn from; ``voices`` are a teacher's.
    """
    speakers = sorted({clip.speaker for clip in clips} - {""})
    number = {speaker: i for i, speaker in enumerate(speakers)}
    felt: dict[str, set[str]] = {}
    for clip in clips:
        if clip.emotion:
            felt.setdefault(clip.corpus, set()).add(clip.emotion)
    labelled = [
        Example(
            clip,
            number.get(clip.speaker, UNKNOWN),
            EMOTIONS.index(clip.emotion) if clip.emotion else UNKNOWN,
            tuple(e in felt.get(clip.corpus, EMOTIONS) for e in EMOTIONS),
            GENDERS.index(clip.sex) if clip.sex and clip.corpus not in unsure_gender else UNKNOWN,
            float("nan") if clip.age is None else clip.age,
            voices[clip.path] if voices else None,
        )
        for clip in clips
    ]
    return labelled, speakers


class Sampler:
    """Draws examples: emotional clips by corpus, the others by speaker."""

    def __init__(self, labelled: Sequence[Example], settings: SamplingSettings) -> None:
        self._settings = settings
        self._emotional = [e for e in labelled if e.emotion != UNKNOWN]
        self._all = list(labelled)
        corpora = [e.clip.corpus if e.clip else "" for e in self._emotional]
        extra = [settings.corpus_weights.get(corpus, 1.0) for corpus in corpora]
        self._emotional_weights = _cumulative(corpora, settings.flatness) if corpora else np.zeros(0)
        if corpora:
            self._emotional_weights = np.cumsum(np.diff(self._emotional_weights, prepend=0) * extra)
        self._all_weights = _cumulative([str(e.speaker) for e in self._all], settings.flatness)

    def draw(self, seconds: float, random: np.random.Generator) -> Example:
        """Return one example, of which so many seconds will be heard."""
        settings = self._settings
        emotional = settings.emotional * (1.0 if seconds >= settings.emotional_seconds else 0.5)
        part = random.random()
        if part < settings.non_speech:
            return Example(None)
        if self._emotional and part < settings.non_speech + emotional:
            return self._emotional[_pick(self._emotional_weights, random)]
        return self._all[_pick(self._all_weights, random)]


def _cumulative(groups: Sequence[str], flatness: float) -> NDArray[np.float64]:
    """Return running sums of weights, such that a group of n weighs n to the power ``flatness``."""
    counts = Counter(groups)
    return np.cumsum([counts[group] ** (flatness - 1) for group in groups])


def _pick(cumulative: NDArray[np.float64], random: np.random.Generator) -> int:
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))


class Batches(IterableDataset[Batch]):
    """Batches, or this process' part of each. Part ``p`` of batch ``i`` depends on the seed, ``i`` and ``p`` alone,
    whatever the number of workers."""

    def __init__(
        self,
        labelled: Sequence[Example],
        cache: AudioCache,
        noises: Sequence[NDArray[np.float32]],
        augmenter: Augmenter | None,
        settings: SamplingSettings,
        *,
        seed: int,
        start: int = 0,
        stop: int,
        team: Team | None = None,
    ) -> None:
        self._labelled = labelled
        self._sampler = Sampler(labelled, settings)
        self._cache = cache
        self._noises = noises
        self._augmenter = augmenter
        self._settings = settings
        self._seed = seed
        self._range = (start, stop)
        self._team = team or Team()

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in range(self._range[0] + offset, self._range[1], stride):
            yield self.make(index)

    def make(self, index: int) -> Batch:
        """Return one batch, or this process' part of it."""
        # Parts are cut to the same length, so that nobody waits for another.
        lengths = self._settings.crop_seconds
        seconds = float(np.random.default_rng((self._seed, index)).choice(lengths))
        random = np.random.default_rng((self._seed, index, self._team.rank))
        # As much audio in every batch, so that short crops do not waste the machine.
        whole = self._settings.batch * min(2.0, float(np.mean(lengths)) / seconds)
        size = max(round(whole / self._team.size), 1)
        crops: list[_Crop] = []
        while len(crops) < size:
            crop = self._crop(self._sampler.draw(seconds, random), seconds, random)
            if crop is not None:
                crops.append(crop)
        return _collate(crops)

    def _crop(self, example: Example, seconds: float, random: np.random.Generator) -> "_Crop | None":
        """Cut, disturb and find the speech; None where none is found."""
        clean = self._clean(example, seconds, random)
        if self._augmenter and example.emotion != UNKNOWN:
            clean, changed = self._augmenter.change_speed(clean, random)
            if changed:  # another voice says it now, of no known age
                example = replace(example, speaker=UNKNOWN, age=float("nan"), taught=None)
        disturbed = clean
        if self._augmenter:
            other = self._labelled[int(random.integers(len(self._labelled)))].clip
            babble = self._cache[other.path] if other else clean
            disturbed = self._augmenter(clean, babble, random, emotional=example.emotion != UNKNOWN)
        steps = active_steps(disturbed)
        if not steps:
            return None
        speech = np.zeros((len(disturbed) // STEP_SAMPLES + 1, FRAMES_PER_STEP), np.float32)
        if example.clip:
            for step in active_steps(clean):
                speech[step.index] = step.mask
        return _Crop(
            example,
            np.stack([step.samples for step in steps]),
            np.stack([step.mask for step in steps]),
            np.array([step.first for step in steps]),
            speech[[step.index for step in steps]],
        )

    def _clean(self, example: Example, seconds: float, random: np.random.Generator) -> NDArray[np.float32]:
        length = round(seconds * SAMPLE_RATE)
        if example.clip is None:
            if self._noises and random.random() < 0.5:
                return cut(self._noises[int(random.integers(len(self._noises)))], length, random)
            return synthetic_noise(seconds, random)
        samples = self._cache[example.clip.path]
        return cut(samples, min(length, len(samples)), random)


@dataclass(frozen=True)
class _Crop:
    example: Example
    samples: NDArray[np.float32]
    mask: NDArray[np.float32]
    first: NDArray[np.bool_]
    speech: NDArray[np.float32]


def _collate(crops: Sequence[_Crop]) -> Batch:
    longest = max(len(crop.samples) for crop in crops)

    def padded(name: str) -> Tensor:
        arrays = [getattr(crop, name) for crop in crops]
        filled = np.zeros((len(crops), longest, *arrays[0].shape[1:]), arrays[0].dtype)
        for row, array in zip(filled, arrays, strict=True):
            row[: len(array)] = array
        return torch.from_numpy(filled)

    known = [crop.example for crop in crops]
    return Batch(
        samples=padded("samples"),
        mask=padded("mask"),
        first=padded("first"),
        speech=padded("speech"),
        speaker=torch.tensor([e.speaker for e in known]),
        emotion=torch.tensor([e.emotion for e in known]),
        allowed=torch.tensor([e.allowed for e in known]),
        gender=torch.tensor([e.gender for e in known]),
        age=torch.tensor([e.age for e in known], dtype=torch.float32),
        taught=torch.from_numpy(
            np.stack([np.zeros(TAUGHT, np.float32) if e.taught is None else e.taught for e in known])
        ),
    )
