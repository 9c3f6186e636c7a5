"""RESULTS.md, written from saved reports and never by hand."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from undertone_export.evaluation.bootstrap import RESAMPLES, SEED
from undertone_export.evaluation.report import Evaluation, Section, Skipped, read_report
from undertone_export.evaluation.tables import NOTHING, markdown, tables
from undertone_export.evaluation.tasks import PLAUSIBLE_AGES

_NOTES = f"""\
- In brackets: 95 % intervals, from {RESAMPLES:,} resamples of the speakers, seed {SEED} (for verification, of the
  probes' speakers). With a handful of speakers they are too narrow to be believed; with one there is none.
- Speakers of `valid` and `test` were never trained on. Nothing is abstained from: a clip in which no speech is found
  is an error of every task it is labelled for, its age off by the distance to the farther of {PLAUSIBLE_AGES[0]:g}
  and {PLAUSIBLE_AGES[1]:g} years; a trial with it scores as surely wrong (a target -1, an impostor +1).
- Age: the mean absolute error, beside that of always answering the median age of the corpus' training clips; and the
  share of clips whose age lies in the interval that the service states.
- Emotion: the answer is the most probable of the classes that the corpus has in its labels; free accuracy lets all
  emotions of the bundle compete, as the service does. Average recall is unweighted: each class counts alike.
  Actors read given sentences in given moods: expect less of spontaneous speech.
- Verification: voices are enrolled from the listed clips as the service's store joins them; a probe of N seconds is
  the recording's start, as the list of trials cuts it, heard as a recording of its own. Most speakers of saa,
  speechcommands and librispeech were recorded in one session, so same-session trials flatter; cross-session trials
  rest on few speakers.
- The sexes and identities of wuw2_telephone were inferred and are partly wrong: its error rates have a floor, and
  its gender is left out of the headline."""


def write_results(target: Path, sources: Sequence[Path]) -> None:
    """Write RESULTS.md from saved reports: evaluations first, then the other kinds, each in the given order."""
    reports = [read_report(source) for source in sources]
    evaluations = [report for report in reports if isinstance(report, Evaluation)]
    sections = [report for report in reports if isinstance(report, Section)]
    parts = ["# Results", _made_by(target, sources)]
    for evaluation in evaluations:
        parts += _evaluation(evaluation)
    if evaluations:
        parts += ["## How to read the evaluations", _NOTES]
    for section in sections:
        parts += _section(section)
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _made_by(target: Path, sources: Iterable[Path]) -> str:
    words = ["undertone", "evaluate", "--results", shown(target), "--from", *map(shown, sources)]
    return f"Generated from saved reports, not to be edited. To write it again:\n\n{_code(shlex.join(words))}"


def shown(path: Path) -> str:
    """Return a path as a command may show it: never one that only this machine has."""
    return os.path.relpath(path) if path.is_absolute() else str(path)


def _evaluation(report: Evaluation) -> Iterator[str]:
    counts = report.counts
    yield f"## Bundle {report.bundle}, {report.split} split"
    yield (
        f"{counts.clips} labelled clips of {counts.speakers} speakers, {counts.trials} trials; no speech was found in "
        f"{counts.clips_without_speech} clips. Measured on {report.date[:10]}; digest `{report.digest[:16]}`."
    )
    yield _code(report.command)
    for table in tables(report):
        yield f"### {table.title}"
        yield markdown(table.columns, table.rows)
    yield from _skipped("Rows left out", counts.skipped_rows)
    yield from _skipped("Recordings that cannot be used, counted as errors", counts.unusable)


def _skipped(title: str, skipped: Sequence[Skipped]) -> Iterator[str]:
    if skipped:
        yield f"### {title}"
        rows = [(fault.reason, str(fault.count), fault.example) for fault in skipped]
        yield markdown(("reason", "count", "for example"), rows)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    if section.text:
        yield section.text
    yield _code(section.command)
    if section.rows:
        columns = list(dict.fromkeys(name for row in section.rows for name in row))
        yield markdown(columns, [[_cell(row.get(name)) for name in columns] for row in section.rows])


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _code(command: str) -> str:
    return f"```\n{command}\n```"
