"""The headline: what was measured beside what it is to reach, and several evaluations side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from undertone_export.evaluation.cells import NOTHING, Table, in_years, interval, length, percent
from undertone_export.evaluation.conditions import LINE
from undertone_export.evaluation.report import Evaluation, Figure
from undertone_export.evaluation.tasks import TOGETHER
from undertone_export.evaluation.verification import HEADLINE

_NOISE = "noise10db"
_GENDER: dict[frozenset[str], float] = {frozenset(): 0.995, frozenset({LINE, _NOISE}): 0.97}
_AGE, _AGE_COVERED, _AGE_COVERED_WITHIN = 8.5, 0.8, 0.07
_EMOTION = {"ravdess": 0.77, "crema_d": 0.66, "emodb": 0.88, "savee": 0.6, "nemo": 0.65}
_ERROR_RATE: dict[int | None, float] = {None: 0.03, 5: 0.02, 3: 0.025, 1: 0.07}
_ERROR_RATE_THROUGH: dict[tuple[frozenset[str], int | None], float] = {
    (frozenset({LINE}), 5): 0.05,
    (frozenset({_NOISE}), 5): 0.05,
}
_CALIBRATION, _ANSWERED = 0.04, 0.9
_CROSS_SESSION = "cross-session"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach: a range of values, the bounds included."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the headline; without a target it is there for comparison."""

    name: str
    figure: Figure
    target: Target = Target()
    years: bool = False

    @property
    def measured(self) -> str:
        """The figure with its unit."""
        return self._with_unit(self.figure.value)

    @property
    def wanted(self) -> str:
        """The target, if there is one."""
        least, most = self.target.least, self.target.most
        if least is not None and most is not None:
            return f"{self._number(least)} to {self._with_unit(most)}"
        if least is not None:
            return f"≥ {self._with_unit(least)}"
        return NOTHING if most is None else f"≤ {self._with_unit(most)}"

    @property
    def outcome(self) -> str:
        """Whether the target was reached, and else by how much it was missed."""
        least, most, value = self.target.least, self.target.most, self.figure.value
        if least is None and most is None:
            return NOTHING
        missed = max(0.0 if least is None else least - value, 0.0 if most is None else value - most)
        if missed <= 0:
            return "reached"
        amount = f"{missed:.2f}" if self.years else f"{100 * missed:.2f}"
        return f"missed by {amount} {'years' if self.years else 'points'}"

    def _with_unit(self, value: float) -> str:
        return f"{self._number(value)} {'years' if self.years else '%'}"

    def _number(self, value: float) -> str:
        return in_years(value) if self.years else percent(value)


def headline(report: Evaluation) -> Table:
    """Return the headline of one evaluation."""
    rows = [
        (row.name, row.measured, interval(row.figure, years=row.years), row.wanted, row.outcome)
        for row in headline_rows(report)
    ]
    return Table("Headline", ("task", "measured", "95 % interval", "target", "outcome"), rows)


def side_by_side(reports: Sequence[Evaluation]) -> Table:
    """Return the headlines of several evaluations, one column each, targets being those of its conditions."""
    columns = [{row.name: row for row in headline_rows(report)} for report in reports]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(_compact(column.get(name)) for column in columns)) for name in names]
    return Table("Side by side", ("task", *(report.title for report in reports)), rows)


def _compact(row: Row | None) -> str:
    if row is None:
        return NOTHING
    return row.measured if row.outcome == NOTHING else f"{row.measured} ({row.wanted}: {row.outcome})"


def headline_rows(report: Evaluation) -> Iterator[Row]:
    """Yield the lines of the headline, those that nothing was measured on left out."""
    through = frozenset(report.conditions)
    yield from _of_clips(report, through)
    yield from _of_voices(report, through)
    yield from _of_trust(report, through)


def _of_clips(report: Evaluation, through: frozenset[str]) -> Iterator[Row]:
    for gender in report.gender:
        if gender.corpus == "+".join(TOGETHER):
            target = Target(least=_GENDER.get(through))
            yield Row("gender, saa + librispeech: accuracy", gender.accuracy, target)
    for age in report.age:
        if age.corpus == "saa":
            error = Target(most=None if through else _AGE)
            yield Row("age, saa: mean absolute error", age.error, error, years=True)
            ends = (_AGE_COVERED - _AGE_COVERED_WITHIN, _AGE_COVERED + _AGE_COVERED_WITHIN)
            covered = Target() if through else Target(*ends)
            yield Row("age, saa: in the stated interval", Figure(value=age.covered), covered)
    for emotion in report.emotion:
        name = f"emotion, {emotion.corpus}, {len(emotion.classes)} classes"
        accuracy = Target(least=None if through else _EMOTION.get(emotion.corpus))
        yield Row(f"{name}: accuracy", emotion.accuracy, accuracy)
        yield Row(f"{name}: unweighted average recall", emotion.recall)


def _of_voices(report: Evaluation, through: frozenset[str]) -> Iterator[Row]:
    for voice in report.verification:
        if voice.error_rate is None:
            continue
        if voice.condition == HEADLINE:
            most = _ERROR_RATE_THROUGH if through else {(through, n): e for n, e in _ERROR_RATE.items()}
            target = Target(most=most.get((through, voice.seconds)))
            yield Row(f"verification, {length(voice.seconds)}: EER", voice.error_rate, target)
        elif _CROSS_SESSION in voice.condition and voice.seconds is None:
            yield Row(f"verification, {voice.corpus} cross-session, full: EER", voice.error_rate)


def _of_trust(report: Evaluation, through: frozenset[str]) -> Iterator[Row]:
    for one in report.reliability:
        if one.task == "emotion":
            most = None if through else _CALIBRATION
            name = "emotion: calibration error beyond chance"
            yield Row(name, Figure(value=one.excess), Target(most=most))
    for answers in report.answered:
        if answers.task == "emotion":
            least = None if through else _ANSWERED
            name = f"emotion: clips with {answers.seconds:g} s of speech answered"
            yield Row(name, answers.answered, Target(least=least))
