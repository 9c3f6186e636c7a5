"""Tables of text and what stands in their cells, for the terminal and for RESULTS.md alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from undertone_export.evaluation.report import Figure

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the names of the columns, and rows of cells."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def percent(share: float) -> str:
    """Return a share in per cent: ``percent(0.9871) == "98.7"``."""
    return f"{100 * share:.1f}"


def in_years(value: float) -> str:
    """Return years: ``in_years(8.46) == "8.5"``."""
    return f"{value:.1f}"


def interval(figure: Figure, *, years: bool = False) -> str:
    """Return a figure's interval, in years or per cent."""
    if figure.low is None or figure.high is None:
        return NOTHING
    show = in_years if years else percent
    return f"{show(figure.low)}–{show(figure.high)}"


def with_interval(figure: Figure | None, *, years: bool = False) -> str:
    """Return a figure, its interval in brackets; a dash for none."""
    if figure is None:
        return NOTHING
    value = in_years(figure.value) if years else percent(figure.value)
    return value if figure.low is None else f"{value} ({interval(figure, years=years)})"


def length(seconds: int | None) -> str:
    """Return how much of a probe was heard."""
    return "full" if seconds is None else f"{seconds} s"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
