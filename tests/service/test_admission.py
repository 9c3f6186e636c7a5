"""Admission: what is counted, what is expected, and that it does not flap."""

import asyncio
from contextlib import ExitStack

import pytest

from undertone_service.protocol.errors import ErrorCode
from undertone_service.settings import Settings
from undertone_service.web.admission import Admission
from undertone_service.workload import SMOOTHING, Workload


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """An admission, and what it goes by."""

    def __init__(self, **settings: float) -> None:
        self.clock, self.workload, self.draining = Clock(), Workload(cores=2), asyncio.Event()
        settings = {"max_streams": 1000, **settings}
        self.admission = Admission(
            Settings.model_validate(settings), self.workload, self.draining, self.clock
        )
        self._live = ExitStack()

    def enter(self, channels: int = 1) -> bool:
        """Let a stream in, if it may."""
        if self.admission.refusal(channels):
            return False
        self._live.enter_context(self.admission.admitted(channels))
        return True

    def leave_all(self) -> None:
        self._live.close()

    def reason(self, channels: int = 1) -> str | None:
        refusal = self.admission.refusal(channels)
        return refusal.reason if refusal else None


def test_a_channel_counts_as_a_stream() -> None:
    desk = Desk(max_streams=5)
    assert desk.enter(2)
    assert desk.enter(2)
    assert desk.reason(2) == "streams"
    assert desk.enter(1)
    assert (desk.admission.streams, desk.reason()) == (5, "streams")
    desk.leave_all()
    assert (desk.admission.streams, desk.reason()) == (0, None)


def test_a_burst_does_not_slip_through_between_two_measurements() -> None:
    desk = Desk(max_load=0.6)
    admitted = sum(desk.enter() for _ in range(1000))
    assert admitted == 100  # 0.6 over what one is assumed to cost
    assert desk.reason() == "load"


def test_what_streams_turn_out_to_cost_decides_how_many_more_are_taken() -> None:
    for load, fewest, most in ((0.1, 250, 500), (0.5, 5, 20)):
        desk = Desk(max_load=0.6)
        assert sum(desk.enter() for _ in range(100)) == 100
        desk.clock.now += 10 * SMOOTHING
        desk.workload.load = load
        assert desk.admission.refusal() is None or load > 0.4
        desk.clock.now += 0.1
        more = sum(desk.enter() for _ in range(1000))
        assert fewest <= more <= most


def test_streams_are_taken_again_only_well_below_the_limit() -> None:
    desk = Desk(max_load=0.8)
    assert all(desk.enter() for _ in range(100))
    desk.clock.now += 10 * SMOOTHING
    seen = []
    for load in (0.7, 0.81, 0.75, 0.7, 0.65, 0.6, 0.7, 0.78, 0.81):
        desk.workload.load = load
        seen.append(desk.reason())
    assert seen == [None, "load", "load", "load", "load", None, None, None, "load"]


def test_delay_alone_is_a_reason_and_says_its_figures() -> None:
    desk = Desk(max_step_delay=0.05)
    desk.enter()
    desk.workload.delay = 0.08
    refusal = desk.admission.refusal()
    assert refusal is not None
    assert (refusal.reason, refusal.error.code) == ("delay", ErrorCode.OVERLOADED)
    assert "80 ms" in refusal.error.problem
    assert "50 ms" in refusal.error.problem
    assert refusal.error.retry_after is not None
    assert 5 <= refusal.error.retry_after <= 15
    desk.workload.delay = 0.045
    assert desk.reason() == "delay"
    desk.workload.delay = 0.03
    assert desk.reason() is None


def test_the_first_stream_is_always_taken() -> None:
    desk = Desk()
    desk.workload.load = desk.workload.delay = 5.0
    assert desk.enter()
    assert not desk.enter()


@pytest.mark.parametrize("live", [0, 3])
def test_nothing_is_taken_while_draining(live: int) -> None:
    desk = Desk()
    for _ in range(live):
        assert desk.enter()
    desk.draining.set()
    assert desk.reason() == "draining"
