"""A bundle beside the pretrained ``resemblyzer``, on the same trials and the same audio."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.conditions import Conditions, Excerpt
from undertone_export.evaluation.hearing import Heard, Hearing
from undertone_export.evaluation.measures import equal_error_rate
from undertone_export.evaluation.report import ALL, Figure
from undertone_export.evaluation.verification import (
    HEADLINE,
    LENGTHS,
    Scored,
    arrays,
    excerpts,
    in_kind,
    score_trials,
    speakers_by_path,
)
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_models.teachers.pretrained import resemblyzer_voiceprints
from undertone_service.bundle.bundle import Bundle, Outputs

PEER = "resemblyzer"
CROSS = "cross-session"
_NOTHING = np.zeros(0, np.float32)


class PeerHearing(Hearing):
    """What the peer heard. All recordings weigh the same, so that enrolments are joined as by its ``embed_speaker``."""

    def ask(self, python: Path, wanted: Iterable[Excerpt]) -> None:
        """Let the peer hear excerpts; ``python`` is the interpreter of an environment that has it.

        Raises:
            UndertoneError: ``internal`` where its process ends early.
        """
        distinct = list(dict.fromkeys(map(self._conditions.distinct, wanted)))
        answers = resemblyzer_voiceprints(python, self._samples(distinct))
        for excerpt, voiceprint in zip(
            distinct, track(answers, PEER, total=len(distinct), transient=True), strict=True
        ):
            if np.any(voiceprint):
                self._heard[excerpt] = Heard(Outputs(_NOTHING, _NOTHING, float("nan"), voiceprint), 1.0)


@dataclass(frozen=True)
class Pair:
    """One trial at one length, as both systems score it."""

    ours: Scored
    peers: Scored

    @property
    def trial(self) -> Trial:
        """The trial."""
        return self.ours.trial


def score_both(
    bundle: Bundle, python: Path, trials: Sequence[Trial], conditions: Conditions
) -> dict[int | None, list[Pair]]:
    """Score trials by the bundle and by the peer, whole probes and those that the list cuts (``LENGTHS``).

    Raises:
        UndertoneError: ``internal`` where the peer's process ends early.
    """
    wanted = list(excerpts(trials))
    ours, peers = Hearing(conditions), PeerHearing(conditions)
    ours.listen(bundle, wanted)
    peers.ask(python, wanted)
    return {
        length: [
            Pair(own, other)
            for own, other in zip(
                score_trials(trials, ours, length), score_trials(trials, peers, length), strict=True
            )
        ]
        for length in LENGTHS
    }


def compare(pairs: Mapping[int | None, Sequence[Pair]], clips: Iterable[Clip]) -> list[dict[str, object]]:
    """Return a row for each kind of trials, split and length: both equal error rates and their difference, in per cent.

    The difference (ours less the peer's) has a 95 % interval over the probes' speakers: each resample takes the same
    speakers for both systems. Splits are those of the probes' speakers, taken together and each alone.
    """
    known = list(clips)
    speakers = speakers_by_path(known)
    splits = {os.path.abspath(clip.path): clip.split or "" for clip in known}
    every = [pair for some in pairs.values() for pair in some]
    found = sorted({splits.get(_probe(pair), "") for pair in every})
    groups = [found, *([split] for split in found if len(found) > 1)]
    own = sorted({(pair.trial.corpus, pair.trial.condition) for pair in every})
    kinds = ((ALL, HEADLINE), (ALL, CROSS), *own)
    wanted = [(kind, group, length) for kind in kinds for group in groups for length in pairs]
    rows = []
    for kind, group, length in track(wanted, "Resampling speakers", transient=True):
        chosen = [p for p in pairs[length] if _of_kind(p, *kind) and splits.get(_probe(p), "") in group]
        if chosen:
            rows.append(_row(kind, " + ".join(group), length, chosen, speakers))
    return rows


def paired_difference(chosen: Sequence[Pair], speakers: Mapping[str, str]) -> Figure:
    """Return our equal error rate less the peer's, 0 to 1; NaN where there are only targets, or only impostors."""
    ours, targets = arrays([pair.ours for pair in chosen])
    peers, _ = arrays([pair.peers for pair in chosen])
    if not targets.any() or targets.all():
        return Figure(value=float("nan"))

    def difference(weights: NDArray[np.float64]) -> float:
        return equal_error_rate(ours, targets, weights) - equal_error_rate(peers, targets, weights)

    return figure([speakers.get(_probe(pair), _probe(pair)) for pair in chosen], difference)


def _row(
    kind: tuple[str, str],
    split: str,
    length: int | None,
    chosen: Sequence[Pair],
    speakers: Mapping[str, str],
) -> dict[str, object]:
    corpus, condition = kind
    targets = sum(pair.trial.target for pair in chosen)
    difference = paired_difference(chosen, speakers)
    return {
        "trials": condition if corpus == ALL else f"{corpus}, {condition}",
        "split": split,
        "seconds": "all" if length is None else length,
        "speakers": len({speakers.get(_probe(pair), _probe(pair)) for pair in chosen}),
        "targets": targets,
        "impostors": len(chosen) - targets,
        "ours %": _percent(_error_rate([pair.ours for pair in chosen])),
        f"{PEER} %": _percent(_error_rate([pair.peers for pair in chosen])),
        "difference": _percent(difference.value),
        "low": _percent(difference.low),
        "high": _percent(difference.high),
        "unanswered": sum(pair.ours.unanswered for pair in chosen),
        f"unanswered by {PEER}": sum(pair.peers.unanswered for pair in chosen),
    }


def _of_kind(pair: Pair, corpus: str, condition: str) -> bool:
    if (corpus, condition) == (ALL, CROSS):
        return CROSS in pair.trial.condition
    return in_kind(pair.trial, corpus, condition)


def _error_rate(scored: Sequence[Scored]) -> float:
    scores, targets = arrays(scored)
    return equal_error_rate(scores, targets, np.ones(len(scores)))


def _percent(share: float | None) -> float | None:
    return None if share is None or np.isnan(share) else round(100 * share, 2)


def _probe(pair: Pair) -> str:
    return os.path.abspath(pair.trial.probe)
