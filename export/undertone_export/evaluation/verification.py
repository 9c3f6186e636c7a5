"""Verification on lists of trials: enrolled as the store enrols, probes cut as the list says."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.conditions import Excerpt
from undertone_export.evaluation.hearing import Heard, Hearing
from undertone_export.evaluation.measures import ErrorRates, equal_error_rate, error_rates
from undertone_export.evaluation.report import ALL, Figure, VerificationMeasure
from undertone_export.recordings import join_voices
from undertone_models.data.clips import Clip
from undertone_models.data.trials import CUT_SECONDS, Trial
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_Voice = NDArray[np.float32]

LENGTHS: tuple[int | None, ...] = (None, *sorted(CUT_SECONDS, reverse=True))
"""Seconds of speech in the probe; None is the whole probe."""
HEADLINE = "all but one-word"


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial's cosine over ``speech`` net seconds of the probe.

    An ``unanswered`` one has the score that is surely wrong.
    """

    trial: Trial
    score: float
    unanswered: bool
    speech: float = 0.0


def excerpts(trials: Iterable[Trial]) -> Iterator[Excerpt]:
    """Return all that must be heard to score trials."""
    for trial in trials:
        yield from (Excerpt(path, enrolled=True) for path in trial.enroll)
        yield from (probe for length in LENGTHS if (probe := _probe(trial, length)))


def score_trials(trials: Sequence[Trial], hearing: Hearing, length: int | None) -> list[Scored]:
    """Score the trials whose probe has so many seconds of speech, cut as their list says."""
    voices = _enrolled(trials, hearing)
    probes = ((trial, _probe(trial, length)) for trial in trials)
    return [_score(trial, voices[trial.enroll], hearing[probe]) for trial, probe in probes if probe]


def score_first_seconds(
    trials: Sequence[Trial], hearing: Hearing, seconds: int
) -> tuple[list[Scored], list[Scored]]:
    """Score the first net seconds of the whole probes that have so many, and the same probes in full."""
    voices = _enrolled(trials, hearing)
    first, whole = [], []
    for trial in trials:
        heard = hearing[Excerpt(trial.probe)]
        if heard is not None and seconds in heard.first:
            first.append(_score(trial, voices[trial.enroll], Heard(heard.first[seconds], float(seconds))))
            whole.append(_score(trial, voices[trial.enroll], heard))
    return first, whole


def _enrolled(trials: Iterable[Trial], hearing: Hearing) -> dict[tuple[Path, ...], _Voice | None]:
    return {
        enroll: join_voices(
            (heard.speech, heard.outputs.voiceprint)
            for path in enroll
            if (heard := hearing[Excerpt(path, enrolled=True)])
        )
        for enroll in {trial.enroll for trial in trials}
    }


def _score(trial: Trial, voice: _Voice | None, heard: Heard | None) -> Scored:
    if voice is None or heard is None:
        return Scored(trial, -1.0 if trial.target else 1.0, True)
    return Scored(trial, float(voice @ heard.outputs.voiceprint), False, heard.speech)


def measure_verification(
    scored: Mapping[int | None, Sequence[Scored]], speakers: Mapping[str, str]
) -> list[VerificationMeasure]:
    """Return equal error rates by length: all but one-word trials, then each corpus and condition.

    Intervals resample the probes' speakers, as ``speakers_by_path`` names them.
    """
    kinds = sorted({(s.trial.corpus, s.trial.condition) for some in scored.values() for s in some})
    measures = []
    for corpus, condition in ((ALL, HEADLINE), *kinds):
        for length, some in scored.items():
            chosen = [one for one in some if in_kind(one.trial, corpus, condition)]
            if chosen:
                measures.append(_measure(corpus, condition, length, chosen, speakers))
    return measures


def speakers_by_path(clips: Iterable[Clip]) -> dict[str, str]:
    """Return the speaker of each absolute path."""
    return {os.path.abspath(clip.path): clip.speaker for clip in clips if clip.speaker}


def probe_name(length: int | None) -> str:
    """Return what of a probe is heard, in words: ``3 s`` or ``full``."""
    return "full" if length is None else f"{length} s"


def error_curves(scored: Mapping[str, Sequence[Scored]]) -> dict[str, ErrorRates]:
    """Return the error rates at every threshold, by name; none where there are only targets, or only impostors."""
    pairs = {name: arrays(some) for name, some in scored.items()}
    return {
        name: error_rates(scores, targets, np.ones(len(scores)))
        for name, (scores, targets) in pairs.items()
        if targets.any() and not targets.all()
    }


def in_kind(trial: Trial, corpus: str, condition: str) -> bool:
    """Return whether a trial belongs to a row of the table."""
    if condition == HEADLINE:
        return "one-word" not in trial.condition
    return (trial.corpus, trial.condition) == (corpus, condition)


def _measure(
    corpus: str, condition: str, length: int | None, scored: Sequence[Scored], known: Mapping[str, str]
) -> VerificationMeasure:
    targets = sum(one.trial.target for one in scored)
    return VerificationMeasure(
        corpus=corpus,
        condition=condition,
        seconds=length,
        speakers=len(set(_speakers(scored, known))),
        targets=targets,
        impostors=len(scored) - targets,
        unanswered=sum(one.unanswered for one in scored),
        error_rate=error_rate(scored, known),
    )


def error_rate(scored: Sequence[Scored], known: Mapping[str, str]) -> Figure | None:
    """Return the equal error rate; None where there are only targets, or only impostors.

    ``known`` names the speakers of probes by absolute path; a probe that it lacks stands for itself.
    """
    ordered = sorted(scored, key=lambda one: one.score)  # resamples sort it again, which is then quick
    scores, targets = arrays(ordered)
    if not targets.any() or targets.all():
        return None
    return figure(_speakers(ordered, known), partial(equal_error_rate, scores, targets))


def _speakers(scored: Iterable[Scored], known: Mapping[str, str]) -> list[str]:
    probes = [os.path.abspath(one.trial.probe) for one in scored]
    return [known.get(probe, probe) for probe in probes]


def arrays(scored: Sequence[Scored]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores f64[N] and whether each is a target's, bool[N]."""
    return np.array([one.score for one in scored]), np.array([one.trial.target for one in scored], np.bool_)


def _probe(trial: Trial, length: int | None) -> Excerpt | None:
    if length is None:
        return Excerpt(trial.probe)
    samples = trial.cuts[length]
    return None if samples is None else Excerpt(trial.probe, samples)


def refuse_missing(trials: Iterable[Trial]) -> None:
    """Refuse trials whose recordings are not all there, which would end a run after minutes of hearing.

    Raises:
        UndertoneError: ``bad_request``.
    """
    missing = sorted({path for t in trials for path in (*t.enroll, t.probe) if not path.is_file()})
    if missing:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{len(missing)} recordings that the trials name are not there, such as {missing[0]}.",
            "Give all of them: paths in a list of trials are relative to --root, or else to the list's own folder.",
        )
