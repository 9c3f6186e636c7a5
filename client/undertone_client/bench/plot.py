"""Latency against the number of streams, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from undertone_client.bench.judgement import Bounds, Trial

_GREY = "0.6"


def plot(trials: Sequence[Trial], bounds: Bounds, title: str, file: Path) -> None:
    """Draw p50 and p99 of the trials that count, and the bound; what does not pass is marked with a cross."""
    counted = sorted((t for t in trials if t.counts and t.measured.tally.latencies), key=lambda t: t.streams)
    numbers = [trial.streams for trial in counted]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(numbers, [trial.p99 * 1000 for trial in counted], "o-", label="p99")
    axes.plot(numbers, [trial.p50 * 1000 for trial in counted], ".--", color=_GREY, label="p50")
    failed = [trial for trial in counted if not trial.passed]
    axes.plot([t.streams for t in failed], [t.p99 * 1000 for t in failed], "rx", label="does not pass")
    axes.axhline(bounds.p99 * 1000, color="red", linewidth=0.8, label=f"bound, {bounds.p99 * 1000:.0f} ms")
    axes.set(xlabel="live streams", ylabel="result latency, ms", yscale="log", title=title)
    axes.grid(which="both", color="0.92")
    axes.legend()
    figure.savefig(file, format="png", dpi=120)
