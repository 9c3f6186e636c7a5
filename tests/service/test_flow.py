"""Flow control: pace of what comes in, thinning of what does not get out."""

import asyncio

import pytest

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Result, ServerMessageBase, SpeechStarted
from undertone_service.web.flow import Outbox, Pace, waiting_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_real_time_is_never_too_fast() -> None:
    clock = Clock()
    pace = Pace(1.0, 1.0, clock)
    for _ in range(10_000):
        clock.now += 0.02
        pace.take(0.02)


def test_a_sender_may_be_ahead_by_the_allowance_and_no_more() -> None:
    pace = Pace(2.0, 10.0, Clock())
    for _ in range(11):
        pace.take(1.0)
    with pytest.raises(UndertoneError) as refused:
        pace.take(1.0)
    assert refused.value.code is ErrorCode.TOO_FAST
    assert refused.value.close_code == 4029


def test_the_lead_is_worked_off_at_the_highest_rate() -> None:
    clock = Clock()
    pace = Pace(2.0, 10.0, clock)
    pace.take(10.0)
    clock.now += 5.0
    for _ in range(11):
        pace.take(1.0)
    with pytest.raises(UndertoneError):
        pace.take(1.0)


def test_a_pause_earns_no_credit() -> None:
    clock = Clock()
    pace = Pace(1.0, 1.0, clock)
    clock.now += 3600
    pace.take(1.5)
    with pytest.raises(UndertoneError):
        pace.take(1.0)


def test_text_waits_as_its_length_would_and_a_little_more() -> None:
    assert waiting_seconds(bytes(16000), 8000) == 2.0
    assert waiting_seconds("x" * 16000, 8000) == pytest.approx(2.01)
    assert waiting_seconds("", 8000) > 0


def result(number: int) -> Result:
    return Result(channel=0, start=0, end=float(number), speech=0)


async def drained(outbox: Outbox) -> list[ServerMessageBase]:
    messages = []
    while (outgoing := await outbox.get()) is not None:
        messages.append(outgoing.message)
    return messages


async def test_messages_come_in_order_until_the_end() -> None:
    outbox = Outbox()
    sent = [result(1), SpeechStarted(channel=0, time=0.1), result(2)]
    for message in sent:
        outbox.put(message, arrival=5.0)
    outbox.end()
    assert await drained(outbox) == sent
    assert await outbox.get() is None
    assert outbox.take_thinned() == 0


async def test_nothing_is_said_after_the_end() -> None:
    outbox = Outbox()
    outbox.end()
    outbox.put(result(1))
    assert await drained(outbox) == []


async def test_the_reader_wakes_for_a_message_and_for_the_end() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(drained(outbox))
    await asyncio.sleep(0)
    outbox.put(result(1))
    await asyncio.sleep(0)
    outbox.end()
    assert await asyncio.wait_for(waiting, 1) == [result(1)]


async def test_only_results_are_dropped_and_all_of_them_are_counted() -> None:
    outbox = Outbox(most=20)
    events = 0
    for number in range(500):
        outbox.put(result(number))
        if number % 50 == 0:
            outbox.put(SpeechStarted(channel=0, time=float(number)))
            events += 1
    outbox.end()
    kept = await drained(outbox)
    results = [m for m in kept if isinstance(m, Result)]
    assert len(kept) - len(results) == events == 10
    assert len(kept) <= 20 + 1
    assert outbox.take_thinned() == 500 - len(results)
    assert outbox.take_thinned() == 0
    assert [r.end for r in results] == sorted(r.end for r in results)
    assert results[-1].end == 499  # the newest matters most


def test_what_cannot_be_thinned_makes_the_outbox_full() -> None:
    outbox = Outbox(most=5)
    for number in range(11):
        assert not outbox.full
        outbox.put(SpeechStarted(channel=0, time=float(number)))
    assert outbox.full
