"""An evaluation as pictures (PNG): confusions, ages, error rates of verification, and how far to trust answers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from undertone_export.evaluation.answers import Answered, answered_age
from undertone_export.evaluation.evaluate import Evaluated
from undertone_export.evaluation.measures import ErrorRates
from undertone_export.evaluation.report import ALL, EmotionMeasure, VerificationMeasure
from undertone_export.evaluation.trust_plots import axes_of, trust_plots
from undertone_export.evaluation.verification import HEADLINE, error_curves, in_kind, probe_name
from undertone_service.bundle.manifest import Manifest

_DET_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def write_plots(evaluated: Evaluated, manifest: Manifest, folder: Path) -> list[Path]:
    """Write what there is to draw; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(evaluated, manifest):
        written.append(folder / f"{name}.png")
        figure.savefig(written[-1], dpi=120, bbox_inches="tight")
    return written


def _figures(evaluated: Evaluated, manifest: Manifest) -> Iterator[tuple[str, Figure]]:
    for emotion in evaluated.report.emotion:
        yield f"confusion-{emotion.corpus}", confusion(emotion)
    for age in evaluated.report.age:
        answered = [one for one in evaluated.answered if one.clip.corpus == age.corpus]
        yield f"age-{age.corpus}", ages(age.corpus, answered, manifest)
    curves = _curves(evaluated)
    if curves:
        yield "verification-det", det(curves)
        yield "verification-far-frr", rates_by_threshold(curves)
        yield "verification-eer", eer_by_seconds(evaluated.report.verification)
    yield from trust_plots(evaluated, manifest)


def confusion(measure: EmotionMeasure) -> Figure:
    """Draw a confusion matrix, coloured by the share of each true class."""
    counts = np.array(measure.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = axes_of(f"{measure.corpus}: {len(measure.classes)} emotions, {measure.clips} clips")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(counts.shape[1]), [*measure.classes, "no speech"], rotation=45, ha="right")
    axes.set_yticks(range(counts.shape[0]), measure.classes)
    axes.set_xlabel("answered")
    axes.set_ylabel("said")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return figure


def ages(corpus: str, answered: Sequence[Answered], manifest: Manifest) -> Figure:
    """Draw answered against stated ages; clips without an answer are not in it."""
    pairs = [
        (one.clip.age, answered_age(manifest, one.heard))
        for one in answered
        if one.clip.age is not None and one.heard is not None
    ]
    figure, axes = axes_of(f"{corpus}: age, {len(pairs)} clips")
    stated, years = np.array(pairs).reshape(-1, 2).T
    axes.scatter(stated, years, s=8, alpha=0.4, linewidths=0)
    axes.plot([0, 100], [0, 100], color="grey", linewidth=0.8)
    axes.set_xlabel("stated, years")
    axes.set_ylabel("answered, years")
    return figure


def det(curves: dict[str, ErrorRates]) -> Figure:
    """Draw false rejects against false accepts on normal deviates (Martin et al. 1997)."""
    figure, axes = axes_of("Detection error trade-off")
    low, high = _DET_TICKS[0], _DET_TICKS[-1]
    for name, rates in curves.items():
        accepts, rejects = (np.clip(r, low / 2, 0.9) for r in (rates.false_accepts, rates.false_rejects))
        axes.plot(norm.ppf(accepts), norm.ppf(rejects), label=name, linewidth=1)
    ends = norm.ppf([low, high])
    axes.plot(ends, ends, color="grey", linewidth=0.6)
    places, names = norm.ppf(_DET_TICKS), [f"{100 * tick:g}" for tick in _DET_TICKS]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xlabel("false accepts, %")
    axes.set_ylabel("false rejects, %")
    axes.legend()
    return figure


def rates_by_threshold(curves: dict[str, ErrorRates]) -> Figure:
    """Draw false accepts (dashed) and false rejects by the threshold on the cosine."""
    figure, axes = axes_of("Error rates by threshold")
    for index, (name, rates) in enumerate(curves.items()):
        thresholds, colour = rates.thresholds[1:], f"C{index}"
        axes.plot(thresholds, 100 * rates.false_accepts[1:], "--", color=colour, linewidth=1)
        axes.plot(thresholds, 100 * rates.false_rejects[1:], color=colour, linewidth=1, label=name)
    axes.set_xlabel("cosine; dashed: false accepts, solid: false rejects")
    axes.set_ylabel("%")
    axes.legend()
    return figure


def eer_by_seconds(measures: Sequence[VerificationMeasure]) -> Figure:
    """Draw the equal error rate by seconds of speech in the probe, a line for each kind of trials."""
    figure, axes = axes_of("Equal error rate by seconds of speech in the probe")
    lengths = sorted({m.seconds for m in measures if m.seconds is not None})
    ticks: list[int | None] = [*lengths, None]
    for trials in dict.fromkeys(m.trials for m in measures):
        points = [
            (ticks.index(m.seconds), 100 * m.error_rate.value)
            for m in measures
            if m.trials == trials and m.error_rate
        ]
        if points:
            wide = 2.0 if trials == HEADLINE else 0.8
            axes.plot(*zip(*sorted(points), strict=True), "o-", label=trials, linewidth=wide)
    axes.set_xticks(range(len(ticks)), [*map(str, lengths), "full"])
    axes.set_xlabel("seconds")
    axes.set_ylabel("EER, %")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _curves(evaluated: Evaluated) -> dict[str, ErrorRates]:
    return error_curves(
        {
            probe_name(length): [one for one in scored if in_kind(one.trial, ALL, HEADLINE)]
            for length, scored in evaluated.scored.items()
        }
    )
