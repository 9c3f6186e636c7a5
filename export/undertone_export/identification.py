"""Open-set identification: whose of a thousand enrolled voices is this, or nobody's?

Terms of ISO/IEC 19795-1: a *mated* probe is of somebody in the gallery, a *non-mated* one of nobody there. FPIR is the
part of non-mated probes that are given a name, FNIR the part of mated ones that are not given theirs, by rank one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.measures import mean
from undertone_export.evaluation.report import Figure
from undertone_export.recordings import answer_sums, sum_recordings
from undertone_export.rolling import ENROLMENTS, by_speaker, enrol
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_service.analysis.verification import identify
from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.store.voices import Gallery

FPIR = 0.01
_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Search:
    """One probe: who speaks, whether the gallery has the voice, the best cosine, whether that is the speaker."""

    speaker: str
    mated: bool
    score: float
    right: bool


@dataclass(frozen=True, slots=True)
class Identification:
    """All searches, the size of the galleries and how many of their voices are bystanders."""

    searches: Sequence[Search]
    gallery: int
    bystanders: int


def search(
    bundle: Bundle, probes: Sequence[Clip], bystanders: Sequence[Clip], cache: AudioCache, *, size: int
) -> Identification:
    """Search each speaker's clips beyond enrolment twice: among voices that hold the own, and among others.

    The speakers of ``probes`` are halved, at random with a fixed seed; one half is enrolled with their first two
    clips while all are searched for, then the other. Speakers of ``bystanders`` fill each gallery up to ``size``.
    """
    speakers = {s: own for s, own in by_speaker(probes).items() if len(own) > ENROLMENTS}
    voices = enrol(bundle, {s: own[:ENROLMENTS] for s, own in speakers.items()}, cache)
    names = [str(name) for name in np.random.default_rng(0).permutation(sorted(voices))]
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    strangers = {s: own for s, own in by_speaker(bystanders).items() if s not in voices}
    wanted = sorted(strangers)[: max(size - max(map(len, halves)), 0)]
    others = enrol(bundle, {s: strangers[s][:ENROLMENTS] for s in wanted}, cache)
    heard = _hear(bundle, [clip for name in names for clip in speakers[name][ENROLMENTS:]], cache)
    searches: list[Search] = []
    for half in halves:
        gallery = _gallery({name: voices[name] for name in half} | others)
        searches += [_search(bundle, gallery, *probe) for probe in track(heard, "Searching")]
    return Identification(searches, min(map(len, halves)) + len(others), len(others))


def fnir(found: Identification) -> Figure:
    """Return FNIR at an FPIR of 1 %, with its interval over the speakers of the probes."""
    score = np.array([one.score for one in found.searches])
    mated = np.array([one.mated for one in found.searches], bool)
    right = np.array([one.right for one in found.searches], bool)

    def measure(weights: NDArray[np.float64]) -> float:
        threshold = _threshold(score[~mated], weights[~mated])
        if math.isnan(threshold):
            return math.nan
        return mean((~right | (score <= threshold))[mated].astype(np.float64), weights[mated])

    return figure([one.speaker for one in found.searches], measure)


def rank_one(found: Identification) -> Figure:
    """Return the part of mated probes whose own voice scores highest, with its interval over speakers."""
    mated = [one for one in found.searches if one.mated]
    right = np.array([one.right for one in mated], np.float64)
    return figure([one.speaker for one in mated], lambda weights: mean(right, weights))


def _threshold(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the least score that at most a part ``FPIR`` of the weight lies above."""
    if not weights.sum():
        return math.nan
    order = np.argsort(scores)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(scores[order][np.searchsorted(reached, 1 - FPIR - 1e-9)])


def _hear(bundle: Bundle, clips: Sequence[Clip], cache: AudioCache) -> list[tuple[Clip, float, Outputs]]:
    recordings = (cache[clip.path] for clip in clips)
    sums = list(track(sum_recordings(bundle, recordings), "Hearing probes", total=len(clips)))
    heard = zip(clips, sums, answer_sums(bundle, sums), strict=True)
    return [(clip, total.speech, outputs) for clip, total, outputs in heard if outputs is not None]


def _gallery(voices: dict[str, NDArray[np.float32]]) -> Gallery:
    names = tuple(voices)
    return Gallery(names, names, np.stack([voices[name] for name in names]))


def _search(bundle: Bundle, gallery: Gallery, clip: Clip, speech: float, outputs: Outputs) -> Search:
    best = identify(gallery, outputs.voiceprint, speech, bundle.manifest, _PRIOR).candidates[0]
    return Search(clip.speaker, clip.speaker in gallery.ids, best.score, best.id == clip.speaker)
