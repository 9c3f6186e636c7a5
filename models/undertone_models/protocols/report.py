"""What the rounds found, as rows: one a round, then their mean, then all their clips together."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from undertone_models.protocols.answers import Answer
from undertone_models.protocols.running import Outcome

RESAMPLES = 1000
Row = dict[str, object]


def report(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return rows in per cent; a clip without speech is an error.

    ``guessing`` is the share of the most frequent emotion among the clips measured: what always answering it
    would earn. ``deviation`` is that of the rounds' accuracies (of a sample); low and high are the bounds of a
    95 % interval.
    """
    rows = [
        {
            "round": outcome.name,
            **_measures(outcome.answers),
            "skipped": outcome.skipped,
            "trained on": outcome.trained_on,
            "steps": outcome.steps,
            "seconds": round(outcome.seconds),
        }
        for outcome in outcomes
    ]
    every = _measures([answer for outcome in outcomes for answer in outcome.answers])
    return [*rows, _mean(outcomes), {"round": "all clips", **every}]


def _mean(outcomes: Sequence[Outcome]) -> Row:
    accuracies = [accuracy(outcome.answers) for outcome in outcomes]
    return {
        "round": f"mean of {len(outcomes)}",
        "accuracy %": _percent(float(np.mean(accuracies))),
        "deviation": _percent(float(np.std(accuracies, ddof=1))) if len(outcomes) > 1 else None,
        "average recall %": _percent(float(np.mean([average_recall(o.answers) for o in outcomes]))),
        "guessing %": _percent(float(np.mean([guessing(o.answers) for o in outcomes]))),
    }


def _measures(answers: Sequence[Answer]) -> Row:
    low, high = interval(answers)
    return {
        "accuracy %": _percent(accuracy(answers)),
        "low": _percent(low),
        "high": _percent(high),
        "average recall %": _percent(average_recall(answers)),
        "guessing %": _percent(guessing(answers)),
        "speakers": len({answer.speaker for answer in answers}),
        "clips": len(answers),
        "without speech": sum(answer.answer is None for answer in answers),
    }


def accuracy(answers: Sequence[Answer]) -> float:
    """Return the share of right answers, 0 to 1."""
    return float(np.mean([answer.right for answer in answers]))


def average_recall(answers: Sequence[Answer]) -> float:
    """Return the unweighted mean, over the emotions that occur, of the share found right, 0 to 1."""
    by_emotion: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        by_emotion[answer.emotion].append(answer.right)
    return float(np.mean([np.mean(right) for right in by_emotion.values()]))


def guessing(answers: Sequence[Answer]) -> float:
    """Return what always answering the most frequent emotion would earn, 0 to 1."""
    return max(Counter(answer.emotion for answer in answers).values()) / len(answers)


def interval(answers: Sequence[Answer]) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the accuracy, by resampling speakers (Efron 1979); None with a single one."""
    names, speaker = np.unique([answer.speaker for answer in answers], return_inverse=True)
    if len(names) < 2:
        return None, None
    clips = np.bincount(speaker)
    right = np.bincount(speaker, [answer.right for answer in answers])
    uniform = np.full(len(names), 1 / len(names))
    draws = np.random.default_rng(0).multinomial(len(names), uniform, size=RESAMPLES)
    low, high = np.percentile((draws @ right) / (draws @ clips), [2.5, 97.5])
    return float(low), float(high)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
