"""Bookkeeping of one stream: results are counted by their times, whatever else comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertone_client.bench.ledger import Grid, Ledger, Tally

FRAME_MS = (10, 20, 30, 60, 70, 100, 250)


@given(st.sampled_from(FRAME_MS), st.integers(1, 300))
def test_the_frame_of_an_end_holds_its_last_sample(frame_ms: int, end: int) -> None:
    frame = Grid(30, 5, frame_ms).frame(end)
    assert frame * frame_ms < end * 100 <= (frame + 1) * frame_ms


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [
        (0.0, 0.5, 5),
        (0.0, 3.0, 30),
        (0.5, 3.5, 35),
        (0.30000000000000004, 3.3, None),  # between two hops
        (0.4, 3.5, None),  # another window
        (0.0, 0.0, None),
        (0.05, 3.05, None),
        (-3.0, 0.0, None),
    ],
)
def test_only_results_that_were_asked_for_have_an_end(start: float, end: float, step: int | None) -> None:
    assert Grid(30, 5, 20).end(start, end) == step


def filled(grid: Grid, speech: list[bool], seconds: float, delays: dict[int, float]) -> Ledger:
    """Return the ledger of a stream begun at 100 s, its frames on time, with results so long after each end."""
    ledger = Ledger(grid, np.array(speech))
    ledger.begun = 100.0
    for frame in range(round(seconds * 1000 / grid.frame_ms)):
        ledger.hand(100.0 + (frame + 1) * grid.frame_ms / 1000)
    for end, delay in delays.items():
        start = max(0, end - grid.window) / 10
        handed = 100.0 + (grid.frame(end) + 1) * grid.frame_ms / 1000
        assert ledger.result(start, end / 10, 0.4, 7.0, handed + delay) == pytest.approx(delay)
    return ledger


@given(
    frame_ms=st.sampled_from(FRAME_MS),
    hop=st.integers(1, 10),
    delays=st.dictionaries(st.integers(1, 12), st.floats(0, 5), max_size=12),
    since=st.floats(0.05, 5),
)
def test_what_is_missing_and_how_long_the_rest_took(
    frame_ms: int, hop: int, delays: dict[int, float], since: float
) -> None:
    grid = Grid(30, hop, frame_ms)
    by_end = {number * hop: delay for number, delay in delays.items()}
    tally = filled(grid, [True], 20.0, by_end).tally(100.0 + since, 113.0)
    due = [end for end in range(hop, 130, hop) if since <= end / 10 < 13.0]
    assert tally.expected == pytest.approx(len(due), abs=1)  # one may lie on an edge
    assert tally.missing == tally.expected - len(tally.latencies)
    inner = [by_end[end] for end in due if end in by_end and since + 0.01 < end / 10 < 12.99]
    assert sorted(tally.latencies) == pytest.approx(sorted(inner), abs=1e-6) or len(tally.latencies) > len(
        inner
    )
    assert set(tally.lags) <= {0.007}


def test_silence_is_not_expected_to_be_answered() -> None:
    speech = [True] * 5 + [False] * 5  # every second hop is silent, over and over
    tally = filled(Grid(30, 5, 20), speech, 10.0, {5: 0.1, 10: 0.1}).tally(100.0, 104.0)
    assert (tally.expected, tally.missing) == (4, 3)
    assert len(tally.latencies) == 2  # an answer in silence is welcome, and counts


@pytest.mark.parametrize(
    ("spoken", "expected"), [(range(1, 4), 1), (range(1, 3), 0), (range(3, 7), 2), (range(4, 6), 0)]
)
def test_a_stretch_is_sure_but_for_its_ends(spoken: range, expected: int) -> None:
    speech = [step in spoken for step in range(10)]
    assert filled(Grid(30, 5, 20), speech, 2.0, {}).tally(100.0, 101.2).missing == expected


def test_a_second_answer_does_not_make_up_for_a_missing_one() -> None:
    ledger = filled(Grid(30, 5, 20), [True], 10.0, {5: 0.1})
    ledger.result(0.0, 0.5, 0.4, 7.0, 200.0)
    tally = ledger.tally(100.2, 101.2)
    assert (tally.expected, tally.missing) == (2, 1)
    assert tally.latencies == pytest.approx([0.1])


def test_an_answer_about_audio_that_was_not_sent_is_none() -> None:
    ledger = filled(Grid(30, 5, 20), [True], 1.0, {})
    assert ledger.result(0.0, 1.5, 0.4, 7.0, 102.0) is None
    assert ledger.result(0.0, 0.7, 0.4, 7.0, 102.0) is None
    assert ledger.tally(100.0, 102.0).missing == 3


def test_a_stream_that_was_lost_still_owes_its_results() -> None:
    ledger = filled(Grid(30, 5, 20), [True], 1.0, {5: 0.1})
    ledger.failure = "closed with code 1006"
    ledger.thinned = 2
    total = Tally()
    for _ in range(2):
        total.add(ledger.tally(100.2, 103.2))
    assert (total.expected, total.missing, total.thinned) == (12, 10, 4)
    assert total.failures == {"closed with code 1006": 2}


def test_a_stream_that_never_began_has_failed() -> None:
    ledger = Ledger(Grid(30, 5, 20), np.array([True]))
    ledger.failure = "refused: overloaded"
    tally = ledger.tally(0.0, 10.0)
    assert (tally.expected, tally.failures) == (0, {"refused: overloaded": 1})
