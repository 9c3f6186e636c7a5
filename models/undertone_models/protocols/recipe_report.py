"""What the rounds of a window recipe found, as rows: one a round, then mean and deviation, then corpora and classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from undertone_models.protocols.recipe_running import RecipeOutcome, TaskFound

Row = dict[str, object]
_SHARES = ("emotion", "gender", "age_band", "sex_emotion", "eer", "pairs")


def report(outcomes: Sequence[RecipeOutcome]) -> list[Row]:
    """Return rows: shares in per cent, ages in years, losses as they are; ``±`` is the deviation of a sample."""
    rows = [
        {
            "round": outcome.name,
            **_shown(outcome.measures),
            **{
                f"{task} average recall %": _percent(average_recall(found))
                for task, found in outcome.by_class.items()
            },
            "trained on": outcome.trained_on,
            "held out": outcome.held_out,
            "epochs": outcome.epochs,
            "best": outcome.best_epoch,
            "seconds": round(outcome.seconds),
            "parameters": outcome.parameters,
        }
        for outcome in outcomes
    ]
    if len(outcomes) > 1:
        rows.append({"round": f"mean of {len(outcomes)}", **_shown(summary(outcomes))})
        rows.append({"round": "±", **_shown(deviations(outcomes))})
    return rows


def summary(outcomes: Sequence[RecipeOutcome]) -> dict[str, float]:
    """Return the mean of each measure over the rounds."""
    return {name: float(np.mean(values)) for name, values in _columns(outcomes).items()}


def corpora_rows(outcomes: Sequence[RecipeOutcome]) -> list[Row]:
    """Return a row for each corpus, the mean over the rounds, and one for all but TESS, whose two speakers are easy."""
    corpora = sorted({corpus for outcome in outcomes for corpus in outcome.by_corpus})
    parts = {
        corpus: _mean([o.by_corpus[corpus] for o in outcomes if corpus in o.by_corpus]) for corpus in corpora
    }
    others = [part for corpus, part in parts.items() if corpus != "tess"]
    if 1 < len(others) < len(parts):
        clips = [part["clips"] for part in others]
        parts["all but tess"] = {"clips": sum(clips)} | {
            name: float(np.average([part[name] for part in others], weights=clips))
            for name in others[0]
            if name in _SHARES and all(name in part for part in others)
        }
    return [{"corpus": corpus, **_shown(part)} for corpus, part in parts.items()]


def class_rows(outcomes: Sequence[RecipeOutcome], task: str) -> list[Row]:
    """Return a row for each class of a task, over the clips of all rounds."""
    total = _summed(outcome.by_class[task] for outcome in outcomes if task in outcome.by_class)
    return [
        {
            "class": name,
            "clips": count,
            "recall %": _percent(total.right.get(name, 0) / count),
            "precision %": _percent(total.right.get(name, 0) / total.answered[name])
            if total.answered.get(name)
            else None,
        }
        for name, count in total.truths.items()
    ]


def average_recall(found: TaskFound) -> float:
    """Return the unweighted mean, over the classes that occur, of the share found right, 0 to 1."""
    return float(np.mean([found.right.get(name, 0) / count for name, count in found.truths.items()]))


def _summed(parts: Iterable[TaskFound]) -> TaskFound:
    truths: Counter[str] = Counter()
    right: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for part in parts:
        truths.update(part.truths)
        right.update(part.right)
        answered.update(part.answered)
    return TaskFound(dict(sorted(truths.items())), dict(right), dict(answered))


def _columns(outcomes: Sequence[RecipeOutcome]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.measures)
    return {name: [o.measures[name] for o in outcomes if name in o.measures] for name in names}


def deviations(outcomes: Sequence[RecipeOutcome]) -> dict[str, float]:
    """Return the deviation of each measure over the rounds (of a sample); none of a single round."""
    return {
        name: float(np.std(values, ddof=1)) for name, values in _columns(outcomes).items() if len(values) > 1
    }


def _mean(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(np.mean([part[name] for part in parts if name in part])) for name in names}


def _shown(found: Mapping[str, float]) -> Row:
    return {
        f"{name} %" if name in _SHARES else name: _percent(value) if name in _SHARES else round(value, 3)
        for name, value in found.items()
    }


def _percent(share: float) -> float:
    return round(100 * share, 1)
