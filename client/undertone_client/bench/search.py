"""The largest number of streams that passes: doubling, then bisecting."""

from collections.abc import Callable
from typing import Protocol, TypeVar

MOST_TRIALS = 16
_START = 50
_PRECISION = 20  # to 5 %


class Passing(Protocol):
    """A trial, of which only the outcome matters here."""

    @property
    def passed(self) -> bool:
        """Whether the number of streams was carried."""


Tried = TypeVar("Tried", bound=Passing)


def largest(measure: Callable[[int], Tried], start: int = _START) -> list[Tried]:
    """Search the largest number that passes, to 5 % and in at most 16 trials; return them in the order made."""
    trials: list[Tried] = []
    low, high, streams = 0, 0, start
    while len(trials) < MOST_TRIALS and (not high or high - low > max(1, low // _PRECISION)):
        trials.append(measure(streams))
        if trials[-1].passed:
            low = streams
        else:
            high = streams
        streams = (low + high) // 2 if high else low * 2
    return trials
