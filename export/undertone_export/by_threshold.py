"""What a threshold on the cosine costs: false accepts and false rejects by threshold and by seconds of speech."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from undertone_export.evaluation.hearing import Hearing
from undertone_export.evaluation.measures import ErrorRates
from undertone_export.evaluation.plots import rates_by_threshold
from undertone_export.evaluation.report import ALL
from undertone_export.evaluation.trust_plots import axes_of
from undertone_export.evaluation.verification import (
    HEADLINE,
    LENGTHS,
    Scored,
    error_curves,
    error_rate,
    excerpts,
    in_kind,
    probe_name,
    score_trials,
)
from undertone_models.data.trials import Trial
from undertone_service.bundle.bundle import Bundle

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 17))
"""Cosines above which a voice is accepted; the paper looks at 0.25, 0.3 and 0.4."""
PAPER = (
    "System A's paper reports of its ECAPA-TDNN, at 0.3, FAR 2, 3 and 4 % and FRR 33, 16 and 3 % at 1, 3 and 5 s; the "
    "cosines of a network trained otherwise lie elsewhere, so compare rates and not thresholds."
)


def score_by_seconds(bundle: Bundle, trials: Sequence[Trial]) -> dict[str, list[Scored]]:
    """Return the scores of all trials but one-word ones, by what of the probe is heard: ``1 s`` to ``full``."""
    hearing = Hearing()
    chosen = [trial for trial in trials if in_kind(trial, ALL, HEADLINE)]
    hearing.listen(bundle, excerpts(chosen), first=())
    scored = {probe_name(length): score_trials(chosen, hearing, length) for length in reversed(LENGTHS)}
    return {name: some for name, some in scored.items() if len({one.trial.target for one in some}) == 2}


def threshold_rows(
    scored: Mapping[str, Sequence[Scored]], speakers: Mapping[str, str]
) -> list[dict[str, object]]:
    """Return a row for each threshold, in per cent, and before them trials and equal error rates.

    In brackets: 95 % intervals over the probes' speakers, whom ``speakers`` names by path.
    """
    counts: dict[str, object] = {"threshold": "trials (targets)"}
    equal: dict[str, object] = {"threshold": "equal error rate"}
    for name, some in scored.items():
        counts[_rejects(name)] = f"{len(some)} ({sum(one.trial.target for one in some)})"
        rate = error_rate(some, speakers)
        if rate is not None and rate.low is not None and rate.high is not None:
            shown = f"{100 * rate.value:.1f} ({100 * rate.low:.1f}–{100 * rate.high:.1f})"
            equal[_rejects(name)] = shown
    rows = [counts, equal]
    curves = error_curves(scored)
    for threshold in THRESHOLDS:
        row: dict[str, object] = {"threshold": f"{threshold:g}"}
        for name, rates in curves.items():
            accepts, rejects = rates_at(rates, threshold)
            row[f"FAR {name} %"], row[_rejects(name)] = round(100 * accepts, 1), round(100 * rejects, 1)
        rows.append(row)
    return rows


def rates_at(rates: ErrorRates, threshold: float) -> tuple[float, float]:
    """Return false accepts and false rejects, 0 to 1, of accepting cosines above a threshold."""
    place = int(np.searchsorted(rates.thresholds, threshold, side="right")) - 1
    return float(rates.false_accepts[place]), float(rates.false_rejects[place])


def threshold_plots(scored: Mapping[str, Sequence[Scored]]) -> dict[str, Figure]:
    """Draw the error rates by threshold, a pair of lines for each length, and by length where the last pair meets.

    That place is chosen on these very trials: it shows what length does, and is no threshold to serve with.
    """
    curves = error_curves(scored)
    last = list(curves.values())[-1]
    threshold = float(last.thresholds[np.argmin(np.abs(last.false_accepts - last.false_rejects))])
    figure, axes = axes_of(f"Error rates by speech in the probe, accepted above {threshold:.2f}")
    accepts, rejects = zip(*(rates_at(rates, threshold) for rates in curves.values()), strict=True)
    places = np.arange(len(curves))
    axes.bar(places - 0.2, 100 * np.array(accepts), 0.4, label="false accepts")
    axes.bar(places + 0.2, 100 * np.array(rejects), 0.4, label="false rejects")
    axes.set_xticks(places, list(curves))
    axes.set_ylabel("%")
    axes.legend()
    return {"far-frr-by-threshold": rates_by_threshold(curves), "far-frr-by-seconds": figure}


def _rejects(name: str) -> str:
    return f"FRR {name} %"
