"""Verification on lists of trials: enrolled as the store enrols, probes cut as the list says."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.hearing import Excerpt, Hearing
from undertone_export.evaluation.measures import equal_error_rate
from undertone_export.evaluation.report import ALL, VerificationMeasure
from undertone_export.recordings import join_voices
from undertone_models.data.clips import Clip
from undertone_models.data.trials import CUT_SECONDS, Trial

LENGTHS: tuple[int | None, ...] = (None, *sorted(CUT_SECONDS, reverse=True))
"""Seconds of speech in the probe; None is the whole probe."""
HEADLINE = "all but one-word"


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial's cosine at one length; an ``unanswered`` one has the score that is surely wrong."""

    trial: Trial
    score: float
    unanswered: bool


def excerpts(trials: Iterable[Trial]) -> Iterator[Excerpt]:
    """Return all that must be heard to score trials."""
    for trial in trials:
        yield from map(Excerpt, trial.enroll)
        yield from (probe for length in LENGTHS if (probe := _probe(trial, length)))


def score_trials(trials: Sequence[Trial], hearing: Hearing, length: int | None) -> list[Scored]:
    """Score the trials whose probe has so many seconds of speech."""
    voices = {
        enroll: join_voices(
            (h.speech, h.outputs.voiceprint) for path in enroll if (h := hearing[Excerpt(path)])
        )
        for enroll in {trial.enroll for trial in trials}
    }
    scored = []
    for trial in trials:
        probe = _probe(trial, length)
        if probe is None:
            continue
        voice, heard = voices[trial.enroll], hearing[probe]
        if voice is None or heard is None:
            scored.append(Scored(trial, -1.0 if trial.target else 1.0, True))
        else:
            scored.append(Scored(trial, float(voice @ heard.outputs.voiceprint), False))
    return scored


def measure_verification(
    scored: Mapping[int | None, Sequence[Scored]], clips: Iterable[Clip]
) -> list[VerificationMeasure]:
    """Return equal error rates by length: all but one-word trials, then each corpus and condition.

    Intervals resample the probes' speakers, whom ``clips`` name; a probe that they lack stands for itself.
    """
    speakers = {os.path.abspath(clip.path): clip.speaker for clip in clips if clip.speaker}
    kinds = sorted({(s.trial.corpus, s.trial.condition) for some in scored.values() for s in some})
    measures = []
    for corpus, condition in ((ALL, HEADLINE), *kinds):
        for length, some in scored.items():
            chosen = [one for one in some if in_kind(one.trial, corpus, condition)]
            if chosen:
                measures.append(_measure(corpus, condition, length, chosen, speakers))
    return measures


def in_kind(trial: Trial, corpus: str, condition: str) -> bool:
    """Return whether a trial belongs to a row of the table."""
    if condition == HEADLINE:
        return "one-word" not in trial.condition
    return (trial.corpus, trial.condition) == (corpus, condition)


def _measure(
    corpus: str, condition: str, length: int | None, scored: Sequence[Scored], known: Mapping[str, str]
) -> VerificationMeasure:
    ordered = sorted(scored, key=lambda one: one.score)  # resamples sort it again, which is then quick
    scores, targets = arrays(ordered)
    probes = [os.path.abspath(one.trial.probe) for one in ordered]
    speakers = [known.get(probe, probe) for probe in probes]
    both = bool(targets.any()) and not targets.all()
    return VerificationMeasure(
        corpus=corpus,
        condition=condition,
        seconds=length,
        speakers=len(set(speakers)),
        targets=int(targets.sum()),
        impostors=int((~targets).sum()),
        unanswered=sum(one.unanswered for one in scored),
        error_rate=figure(speakers, partial(equal_error_rate, scores, targets)) if both else None,
    )


def arrays(scored: Sequence[Scored]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores f64[N] and whether each is a target's, bool[N]."""
    return np.array([one.score for one in scored]), np.array([one.trial.target for one in scored], np.bool_)


def _probe(trial: Trial, length: int | None) -> Excerpt | None:
    if length is None:
        return Excerpt(trial.probe)
    samples = trial.cuts[length]
    return None if samples is None else Excerpt(trial.probe, samples)


def missing_files(trials: Iterable[Trial]) -> list[Path]:
    """Return the files that trials name and that are not there."""
    return sorted({path for t in trials for path in (*t.enroll, t.probe) if not path.is_file()})
