"""How far answers can be trusted, as pictures: reliability, risk against coverage, measures by seconds of speech."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from undertone_export.evaluation.abstention import emotion_answers, risk_by_coverage
from undertone_export.evaluation.answers import Answered, with_emotion
from undertone_export.evaluation.evaluate import Evaluated
from undertone_export.evaluation.report import ALL, ReliabilityMeasure, SecondsMeasure
from undertone_service.bundle.manifest import Manifest


def trust_plots(evaluated: Evaluated, manifest: Manifest) -> Iterator[tuple[str, Figure]]:
    """Yield names and pictures, of what was measured."""
    for measure in evaluated.report.reliability:
        yield f"reliability-{measure.task}", reliability(measure)
    if emotional := with_emotion(manifest, evaluated.answered):
        yield "risk-coverage-emotion", risk(emotional, manifest)
    shares = [one for one in evaluated.report.seconds if one.task in ("gender", "emotion")]
    ages = [one for one in evaluated.report.seconds if one.task == "age"]
    if shares:
        yield "accuracy-by-seconds", by_seconds(shares, "accuracy, %", 100)
    if ages:
        yield "age-by-seconds", by_seconds(ages, "mean absolute error, years", 1)


def reliability(measure: ReliabilityMeasure) -> Figure:
    """Draw what came true against what was stated, a point for each bin, its area by its share."""
    figure, axes = axes_of(
        f"{measure.task}: {measure.answers} answers, calibration error {100 * measure.error:.1f} %, "
        f"by chance alone {100 * measure.perfect:.1f} %"
    )
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    stated, came_true, share = np.array([(b.confidence, b.accuracy, b.share) for b in measure.bins]).T
    axes.plot(stated, came_true, linewidth=0.8)
    axes.scatter(stated, came_true, s=300 * share)
    axes.set_xlabel("stated")
    axes.set_ylabel("same speaker" if measure.task == "verification" else "right")
    return figure


def risk(answered: Sequence[Answered], manifest: Manifest) -> Figure:
    """Draw the share of wrong answers among the most confident ones."""
    curve = risk_by_coverage(*emotion_answers(manifest, answered))
    figure, axes = axes_of(f"emotion: risk by coverage, {len(curve)} clips")
    axes.plot(100 * np.arange(1, len(curve) + 1) / len(curve), 100 * curve, linewidth=1)
    axes.set_xlabel("most confident answers, %")
    axes.set_ylabel("wrong, %")
    axes.set_ylim(bottom=0)
    return figure


def by_seconds(measures: Sequence[SecondsMeasure], unit: str, factor: float) -> Figure:
    """Draw a measure by seconds of speech, with intervals; dotted: the same clips in full."""
    lines: dict[str, list[SecondsMeasure]] = defaultdict(list)
    for one in measures:
        lines[f"{one.task}, {'all corpora' if one.corpus == ALL else one.corpus}"].append(one)
    figure, axes = axes_of("By seconds of net speech; dotted: the same clips in full")
    for index, (name, points) in enumerate(lines.items()):
        seconds, colour = [one.seconds for one in points], f"C{index}"
        axes.plot(seconds, [factor * one.first.value for one in points], "o-", color=colour, label=name)
        axes.plot(seconds, [factor * one.whole for one in points], ":", color=colour)
        known = [one for one in points if one.first.low is not None and one.first.high is not None]
        low, high = ([factor * (end or 0.0) for end in ends] for ends in _ends(known))
        axes.fill_between([one.seconds for one in known], low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xlabel("seconds")
    axes.set_ylabel(unit)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _ends(points: Sequence[SecondsMeasure]) -> tuple[list[float | None], list[float | None]]:
    return [one.first.low for one in points], [one.first.high for one in points]


def axes_of(title: str) -> tuple[Figure, Axes]:
    """Return an empty picture."""
    figure = Figure(figsize=(6, 5))
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    return figure, axes
