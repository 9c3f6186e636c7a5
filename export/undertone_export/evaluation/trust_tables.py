"""Tables of how far answers can be relied upon: by seconds, by group of speakers, by stated confidence."""

from collections import defaultdict
from collections.abc import Iterator

from undertone_export.evaluation.cells import NOTHING, Table, in_years, percent, with_interval
from undertone_export.evaluation.hearing import FIRST_SECONDS
from undertone_export.evaluation.report import ALL, Evaluation, ReliabilityMeasure, SecondsMeasure

_MEASURES = {"gender": "accuracy %", "age": "error, years", "emotion": "accuracy %", "verification": "EER %"}


def trust_tables(report: Evaluation) -> Iterator[Table]:
    """Yield them all, some without rows."""
    yield _seconds(report)
    yield _slices(report)
    yield _calibration(report)
    yield from map(_bins, report.reliability)
    yield _risk(report)
    yield _answered(report)


def _seconds(report: Evaluation) -> Table:
    """Return a row for each task and corpus; each cell is after so many seconds, then the same clips in full."""
    groups: dict[tuple[str, str], dict[int, SecondsMeasure]] = defaultdict(dict)
    for measure in report.seconds:
        groups[measure.task, measure.corpus][measure.seconds] = measure
    rows = []
    for (task, corpus), lengths in groups.items():
        name = f"{task}, {'all corpora' if corpus == ALL else corpus}: {_MEASURES[task]}"
        rows.append((name, *(_first(lengths.get(seconds)) for seconds in FIRST_SECONDS)))
    columns = ("measure", *(f"first {seconds} s" for seconds in FIRST_SECONDS))
    return Table("By seconds of net speech (the same clips in full; clips or trials)", columns, rows)


def _first(measure: SecondsMeasure | None) -> str:
    if measure is None:
        return NOTHING
    show = in_years if measure.task == "age" else percent
    return f"{show(measure.first.value)} (full {show(measure.whole)}; {measure.clips})"


def _slices(report: Evaluation) -> Table:
    rows = [
        (
            f"{one.by}: {one.group}",
            *map(str, (one.speakers, one.clips)),
            with_interval(one.gender),
            with_interval(one.age, years=True),
            with_interval(one.emotion),
            with_interval(one.verification),
        )
        for one in report.slices
    ]
    columns = (
        "speakers who are", "speakers", "clips", "gender, accuracy %", "age error, years",
        "emotion, accuracy %", "EER %",
    )  # fmt: skip
    return Table("By group", columns, rows)


def _calibration(report: Evaluation) -> Table:
    rows = [
        (one.task, str(one.answers), *map(percent, (one.error, one.perfect, one.excess)))
        for one in report.reliability
    ]
    columns = ("task", "answers", "calibration error %", "by chance alone %", "difference")
    return Table("Calibration", columns, rows)


def _bins(measure: ReliabilityMeasure) -> Table:
    rows = [tuple(map(percent, (one.share, one.confidence, one.accuracy))) for one in measure.bins]
    what = "same speaker %" if measure.task == "verification" else "right %"
    return Table(f"Reliability: {measure.task}", ("share of answers %", "mean confidence %", what), rows)


def _risk(report: Evaluation) -> Table:
    if report.risk is None:
        return Table("", (), [])
    rows = [(percent(one.coverage), with_interval(one.accuracy)) for one in report.risk.accuracies]
    title = f"Emotion by confidence (area under risk–coverage {percent(report.risk.area)} %)"
    return Table(title, ("most confident %", "free accuracy %"), rows)


def _answered(report: Evaluation) -> Table:
    rows = [
        (one.task, f"{one.seconds:g} s", str(one.clips), with_interval(one.answered))
        for one in report.answered
    ]
    return Table("Answered at the shipped thresholds", ("task", "with at least", "clips", "answered %"), rows)
