"""The tables of one evaluation, task by task."""

from collections import defaultdict
from collections.abc import Iterator

from undertone_export.evaluation.cells import NOTHING, Table, in_years, length, percent, with_interval
from undertone_export.evaluation.headline import headline
from undertone_export.evaluation.report import EmotionMeasure, Evaluation, Skipped, VerificationMeasure
from undertone_export.evaluation.trust_tables import trust_tables
from undertone_export.evaluation.verification import LENGTHS


def tables(report: Evaluation) -> Iterator[Table]:
    """Yield the tables of an evaluation, the headline first, those without rows left out."""
    counts = report.counts
    some = (
        headline(report),
        _gender(report),
        _age(report),
        _emotion(report),
        _verification(report),
        *trust_tables(report),
        *map(_confusion, report.emotion),
        _skipped("Rows left out", counts.skipped_rows),
        _skipped("Labels left out", counts.skipped_labels),
        _skipped("Recordings that cannot be used, counted as errors", counts.unusable),
    )
    return (table for table in some if table.rows)


def _gender(report: Evaluation) -> Table:
    rows = [
        (
            measure.corpus.replace("+", " + ") + (" (labels unsure)" if measure.unsure else ""),
            *map(str, (measure.speakers, measure.clips, measure.unanswered)),
            with_interval(measure.accuracy),
        )
        for measure in report.gender
    ]
    return Table("Gender", ("corpus", "speakers", "clips", "no speech", "accuracy %"), rows)


def _age(report: Evaluation) -> Table:
    columns = ("corpus", "speakers", "clips", "no speech", "error, years", "guessing", "in interval %")
    rows = []
    for age in report.age:
        guessing = NOTHING
        if age.guess is not None and age.guessing_error is not None:
            guessing = f"{in_years(age.guessing_error)} (always {age.guess:g})"
        rows.append(
            (
                age.corpus,
                *map(str, (age.speakers, age.clips, age.unanswered)),
                with_interval(age.error, years=True),
                guessing,
                percent(age.covered),
            )
        )
    return Table("Age", columns, rows)


def _emotion(report: Evaluation) -> Table:
    columns = (
        "corpus", "classes", "speakers", "clips", "no speech", "accuracy %", "average recall %", "free accuracy %"
    )  # fmt: skip
    rows = [
        (
            emotion.corpus,
            *map(str, (len(emotion.classes), emotion.speakers, emotion.clips, emotion.unanswered)),
            *map(with_interval, (emotion.accuracy, emotion.recall, emotion.free_accuracy)),
        )
        for emotion in report.emotion
    ]
    return Table("Emotion", columns, rows)


def _verification(report: Evaluation) -> Table:
    """Return a row for each kind of trials, with the EER at each length; counts are those of whole probes."""
    kinds: dict[str, dict[int | None, VerificationMeasure]] = defaultdict(dict)
    for voice in report.verification:
        kinds[voice.trials][voice.seconds] = voice
    rows = []
    for trials, lengths in kinds.items():
        most = max(lengths.values(), key=lambda measure: measure.targets + measure.impostors)
        unanswered = sum(measure.unanswered for measure in lengths.values())
        rates = [lengths[seconds].error_rate if seconds in lengths else None for seconds in LENGTHS]
        rows.append(
            (
                trials,
                *map(str, (most.speakers, most.targets, most.impostors, unanswered)),
                *map(with_interval, rates),
            )
        )
    columns = ("trials", "speakers", "targets", "impostors", "no speech", *map(length, LENGTHS))
    return Table("Verification, EER % by speech in the probe", columns, rows)


def _confusion(measure: EmotionMeasure) -> Table:
    rows = []
    for name, counts in zip(measure.classes, measure.confusion, strict=True):
        total = sum(counts)
        recall = percent(counts[measure.classes.index(name)] / total) if total else NOTHING
        rows.append((name, *map(str, counts), recall))
    columns = ("said \\ answered", *measure.classes, "no speech", "recall %")
    return Table(f"Emotion confusions: {measure.corpus}", columns, rows)


def _skipped(title: str, skipped: tuple[Skipped, ...]) -> Table:
    rows = [(fault.reason, str(fault.count), fault.example) for fault in skipped]
    return Table(title, ("reason", "count", "for example"), rows)
