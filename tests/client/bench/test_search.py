"""The search finds the limit, in a bounded number of trials."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from undertone_client.bench.search import MOST_TRIALS, largest


@dataclass(frozen=True)
class Tried:
    streams: int
    passed: bool


@given(limit=st.integers(0, 3000), start=st.integers(20, 200))
def test_the_largest_that_passes_is_found_to_five_per_cent(limit: int, start: int) -> None:
    trials = largest(lambda streams: Tried(streams, streams <= limit), start)
    assert len(trials) <= MOST_TRIALS
    assert all(trial.streams >= 1 for trial in trials)
    best = max((trial.streams for trial in trials if trial.passed), default=0)
    assert best <= limit <= best + max(1, best // 20)
    assert len({trial.streams for trial in trials}) == len(trials)


def test_a_search_without_a_limit_ends() -> None:
    assert len(largest(lambda streams: Tried(streams, True), 1)) == MOST_TRIALS
