"""A report as tables of text, for the terminal and for RESULTS.md alike."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from undertone_export.evaluation.report import EmotionMeasure, Evaluation, Figure, VerificationMeasure
from undertone_export.evaluation.tasks import TOGETHER
from undertone_export.evaluation.verification import HEADLINE, LENGTHS

NOTHING = "–"
# The first marks to pass; accuracy and unweighted average recall are both held against them.
_AGE_MARK = 10.0
_EMOTION_MARKS = {"ravdess": 0.63, "crema_d": 0.52}
_ERROR_RATE_MARKS: dict[int | None, float] = {3: 0.07}


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the names of the columns, and rows of cells."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def tables(report: Evaluation) -> Iterator[Table]:
    """Yield the tables of an evaluation, the headline first, those without rows left out."""
    for table in (_headline(report), _gender(report), _age(report), _emotion(report), _verification(report)):
        if table.rows:
            yield table
    for measure in report.emotion:
        yield _confusion(measure)


def _headline(report: Evaluation) -> Table:
    columns = ("task", "measured", "95 % interval", "first mark", "reached")
    return Table("Headline", columns, [*_headline_of_clips(report), *_headline_of_voices(report)])


def _headline_of_clips(report: Evaluation) -> Iterator[tuple[str, ...]]:
    for gender in report.gender:
        if gender.corpus == "+".join(TOGETHER):
            yield _share("gender, saa + librispeech: accuracy", gender.accuracy, least=0.98)
    for age in report.age:
        if age.corpus == "saa":
            name = "age, saa: mean absolute error, years"
            reached = "yes" if age.error.value <= _AGE_MARK else "no"
            measured, spread = _years(age.error.value), interval(age.error, years=True)
            yield name, measured, spread, f"≤ {_years(_AGE_MARK)}", reached
    for emotion in report.emotion:
        name = f"emotion, {emotion.corpus}, {len(emotion.classes)} classes"
        least = _EMOTION_MARKS.get(emotion.corpus)
        yield _share(f"{name}: accuracy", emotion.accuracy, least=least)
        yield _share(f"{name}: unweighted average recall", emotion.recall, least=least)


def _headline_of_voices(report: Evaluation) -> Iterator[tuple[str, ...]]:
    for voice in report.verification:
        if voice.condition == HEADLINE and voice.error_rate:
            most = _ERROR_RATE_MARKS.get(voice.seconds)
            yield _share(f"verification, {_length(voice.seconds)}: EER", voice.error_rate, most=most)


def _share(
    name: str, figure: Figure, *, least: float | None = None, most: float | None = None
) -> tuple[str, ...]:
    """Return a row of the headline, in per cent, beside the mark that it must not miss, if there is one."""
    mark, reached = NOTHING, NOTHING
    if least is not None:
        mark, reached = f"≥ {percent(least)} %", "yes" if figure.value >= least else "no"
    elif most is not None:
        mark, reached = f"≤ {percent(most)} %", "yes" if figure.value <= most else "no"
    return name, f"{percent(figure.value)} %", interval(figure), mark, reached


def _gender(report: Evaluation) -> Table:
    rows = [
        (
            measure.corpus.replace("+", " + ") + (" (labels unsure)" if measure.unsure else ""),
            *map(str, (measure.speakers, measure.clips, measure.unanswered)),
            _with_interval(measure.accuracy),
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
            guessing = f"{_years(age.guessing_error)} (always {age.guess:g})"
        rows.append(
            (
                age.corpus,
                *map(str, (age.speakers, age.clips, age.unanswered)),
                _with_interval(age.error, years=True),
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
            *map(_with_interval, (emotion.accuracy, emotion.recall, emotion.free_accuracy)),
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
        rates = [lengths[length].error_rate if length in lengths else None for length in LENGTHS]
        rows.append(
            (
                trials,
                *map(str, (most.speakers, most.targets, most.impostors, unanswered)),
                *(NOTHING if rate is None else _with_interval(rate) for rate in rates),
            )
        )
    columns = ("trials", "speakers", "targets", "impostors", "no speech", *map(_length, LENGTHS))
    return Table("Verification, EER % by speech in the probe", columns, rows)


def _confusion(measure: EmotionMeasure) -> Table:
    rows = []
    for name, counts in zip(measure.classes, measure.confusion, strict=True):
        total = sum(counts)
        recall = percent(counts[measure.classes.index(name)] / total) if total else NOTHING
        rows.append((name, *map(str, counts), recall))
    columns = ("said \\ answered", *measure.classes, "no speech", "recall %")
    return Table(f"Emotion confusions: {measure.corpus}", columns, rows)


def percent(share: float) -> str:
    """Return a share in per cent: ``percent(0.9871) == "98.7"``."""
    return f"{100 * share:.1f}"


def interval(figure: Figure, *, years: bool = False) -> str:
    """Return a figure's interval, in years or per cent."""
    if figure.low is None or figure.high is None:
        return NOTHING
    show = _years if years else percent
    return f"{show(figure.low)}–{show(figure.high)}"


def _with_interval(figure: Figure, *, years: bool = False) -> str:
    value = _years(figure.value) if years else percent(figure.value)
    return value if figure.low is None else f"{value} ({interval(figure, years=years)})"


def _years(value: float) -> str:
    return f"{value:.1f}"


def _length(seconds: int | None) -> str:
    return "full" if seconds is None else f"{seconds} s"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
