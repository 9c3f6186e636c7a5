"""What a bench found, as a table for people and as a report for RESULTS.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from undertone_client.bench.judgement import Bounds, Trial
from undertone_client.bench.trial import Conditions


def table(trials: Sequence[Trial]) -> Table:
    """Return a line for each trial, by number of streams."""
    drawn = Table(box=None)
    for title in _COLUMNS:
        drawn.add_column(title, justify="right", no_wrap=True)
    for trial in sorted(trials, key=lambda trial: trial.streams):
        row = trial.row()
        texts = ("/".join(_cell(row[name]) for name in names) for names in _COLUMNS.values())
        drawn.add_row(*texts, style=None if trial.passed else "red" if trial.counts else "yellow")
    return drawn


_COLUMNS = {
    "streams": ("streams",),
    "results": ("results",),
    "missing/\nthinned/late": ("missing", "thinned", "late"),
    "p50/p95/p99\nms": ("p50_ms", "p95_ms", "p99_ms"),
    "server\ncores": ("busy",),
    "RSS\nMB": ("rss_mb",),
    "KB\neach": ("kb_per_stream",),
    "passes": ("passed",),
}


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return str(value)


def conclusion(trials: Sequence[Trial]) -> str:
    """Say the largest number that passed, and whether the server or the generator set the limit."""
    passed = max((trial.streams for trial in trials if trial.passed), default=None)
    above = [trial for trial in trials if not trial.passed and (passed is None or trial.streams > passed)]
    said = "No number that was tried passes." if passed is None else f"{passed} streams pass."
    next_one = min(above, key=lambda trial: trial.streams, default=None)
    if next_one is None:
        return said
    if not next_one.counts:
        return f"{said} The limit is the generator's: {next_one.streams} could not be made in time."
    return f"{said} {next_one.streams} do not: {next_one.verdict}."


def report(
    conditions: Conditions, bounds: Bounds, trials: Sequence[Trial], where: str, command: str
) -> dict[str, Any]:
    """Return the report that ``undertone evaluate --results`` reads; ``where``: how server and load were placed."""
    return {
        "kind": "bench",
        "title": f"Live streams over sockets: {conditions.kind} load",
        "command": command,
        "text": f"{_about(conditions, trials[0].measured.bundle)} {where} {_meaning(bounds)} {conclusion(trials)}",
        "rows": [trial.row() for trial in trials],
    }


def _about(conditions: Conditions, bundle: Mapping[str, Any]) -> str:
    options = conditions.options
    model = f"Bundle {bundle['name']}, digest {bundle['digest'][:12]}; " if bundle else ""
    return (
        f"{model}window {options.window:g} s, hop {options.hop:g} s, all tasks; {options.encoding.value} at "
        f"{options.sample_rate} Hz in frames of {conditions.frame_ms} ms."
    )


def _meaning(bounds: Bounds) -> str:
    return (
        "Latency: from handing the frame with the window's last sample to the socket until the result's last byte is "
        "read. A result is expected at every hop with speech in it, and is late beyond "
        f"{bounds.late * 1000:.0f} ms. A number passes when nothing is missing, thinned or late, no stream fails and "
        f"p99 is at most {bounds.p99 * 1000:.0f} ms."
    )
