"""RESULTS.md, written from saved reports and never by hand."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from undertone_export.evaluation.answers import PLAUSIBLE_AGES
from undertone_export.evaluation.bootstrap import RESAMPLES, SEED
from undertone_export.evaluation.cells import NOTHING, markdown
from undertone_export.evaluation.headline import side_by_side
from undertone_export.evaluation.published import compared_rows, published_rows, rows_by_class, run_rows
from undertone_export.evaluation.reliability import BINS, SIMULATIONS
from undertone_export.evaluation.report import Evaluation, RecipeSection, Section, read_report
from undertone_export.evaluation.tables import tables

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
- By seconds: answers over the first seconds of net speech, as the service counts it, over those clips alone that have
  so many; beside each, the same clips in full. The trials' own cuts, by which all systems are compared, are in the
  table of verification.
- Calibration: {BINS} bins of equal mass; the error is the mean distance between confidence and accuracy. By chance
  alone: what answers that are right exactly as often as they say would show, over {SIMULATIONS:,} draws.
  Emotion and gender: every clip with an answer. Verification: the probability of the same speaker at a prior of 0.5,
  trials of all lengths, both kinds weighing the same.
- Answered: the share of clips with enough speech, by VAD and gate, that the service does not answer with null.
- Conditions apply in the order room, noise, line. Noises and rooms are those of the test split, drawn by the clip's
  path, so that every system hears the same; the level of noise is relative to speech. An enrolment goes through the
  line alone, a probe through everything; a probe's first seconds are cut from the disturbed clip.
- The sexes and identities of wuw2_telephone were inferred and are partly wrong: its error rates have a floor, and
  its gender is left out of the headline."""


_PUBLISHED = """\
One row for each published figure that the data allows; what each run took, and its command, stand in the last table.
Published splits draw clips at random, so that known speakers are held out: beside each stands the same system with
speakers held out, which is what users meet. ± is the deviation over seeds or folds. Each round's epoch is chosen on
clips that are neither trained on nor held out. Seconds: of training all rounds, on one core of two. MB: weights and
tables, which is what a bundle takes. What a recipe keeps of its source, and what it changes, stands in its file in
models/undertone_models/recipes/. CREMA-D here has 83 of its 91 actors; `--data cremad=DIR` takes a complete copy."""


def write_results(target: Path, sources: Sequence[Path]) -> None:
    """Write RESULTS.md from saved reports: evaluations first, then the other kinds, each in the given order.

    The first evaluation is shown in full; the headlines of all stand side by side.
    """
    reports = [read_report(source) for source in sources]
    evaluations = [report for report in reports if isinstance(report, Evaluation)]
    sections = [report for report in reports if isinstance(report, Section)]
    parts = ["# Results", _made_by(target, sources)]
    if evaluations:
        parts += _evaluation(evaluations[0])
    if len(evaluations) > 1:
        parts += _comparison(evaluations)
    if evaluations:
        parts += ["## How to read the evaluations", _NOTES]
    recipes = [section for section in sections if isinstance(section, RecipeSection)]
    if recipes:
        parts += _published(recipes)
    for section in sections:
        if not isinstance(section, RecipeSection):
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
    yield f"## Bundle {report.title}"
    yield (
        f"{counts.clips} labelled clips of {counts.speakers} speakers, {counts.trials} trials; no speech was found in "
        f"{counts.clips_without_speech} clips. Measured on {report.date[:10]}; digest `{report.digest[:16]}`."
    )
    yield _code(report.command)
    for table in tables(report):
        yield f"### {table.title}"
        yield markdown(table.columns, table.rows)


def _comparison(reports: Sequence[Evaluation]) -> Iterator[str]:
    table = side_by_side(reports)
    yield f"## {table.title}"
    yield markdown(table.columns, table.rows)
    yield _code("\n".join(report.command for report in reports[1:]))


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    if section.text:
        yield section.text
    yield _code(section.command)
    if section.rows:
        yield _rows(section.rows)


def _published(recipes: Sequence[RecipeSection]) -> Iterator[str]:
    yield "## Published systems, ours beside them"
    yield _PUBLISHED
    yield _rows(published_rows(recipes))
    for title, rows in compared_rows(recipes):
        yield f"### {title}"
        yield _rows(rows)
    for title, rows in rows_by_class(recipes):
        yield f"### {title}"
        yield _rows(rows)
    for section in recipes:
        if len(section.corpora) > 1:
            yield f"### {section.title}, by corpus"
            yield _rows(section.corpora)
    yield "### All runs of recipes"
    yield _rows(run_rows(recipes))
    yield _code("\n".join(section.command for section in recipes))


def _rows(rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return markdown(columns, [[_cell(row.get(name)) for name in columns] for row in rows])


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _code(command: str) -> str:
    return f"```\n{command}\n```"
