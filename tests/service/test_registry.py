"""The side channel of sessions: history, watchers, and how long ended sessions are kept."""

import asyncio

import pytest

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.rest import SessionInfo
from undertone_service.web.registry import HISTORY, HISTORY_BYTES, KEEP_ENDED, MAX_ENDED, SessionRegistry
from undertone_service.web.sessions import server_sent_events


def info(name: str = "s") -> SessionInfo:
    return SessionInfo(id=name, state="live", started_at="", duration=0.0, channels=1, bundle="b")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def collected(registry: SessionRegistry, after: int = -1) -> list[tuple[int, str]]:
    return [event async for event in registry.watch("t", "s", after)]


async def test_watchers_get_what_was_and_what_comes_until_the_end() -> None:
    registry = SessionRegistry()
    registry.open("t", "s", info())
    registry.publish("s", "0")
    watchers = [asyncio.create_task(collected(registry)) for _ in range(3)]
    for number in range(1, 50):
        registry.publish("s", str(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    registry.close("s")
    for watcher in watchers:
        assert await watcher == [(number, str(number)) for number in range(50)]
    assert await collected(registry, after=47) == [(48, "48"), (49, "49")]


async def test_the_history_is_bounded_and_a_slow_watcher_sees_the_gap() -> None:
    registry = SessionRegistry()
    registry.open("t", "s", info())
    registry.publish("s", "0")
    events = registry.watch("t", "s")
    assert await anext(events) == (0, "0")
    for number in range(1, HISTORY + 11):
        registry.publish("s", str(number))
    assert await anext(events) == (11, "11")
    registry.close("s")
    assert len(await collected(registry)) == HISTORY


async def test_a_session_ends_and_is_forgotten_in_time() -> None:
    clock = Clock()
    registry = SessionRegistry(clock)
    registry.open("t", "s", info())
    clock.now += 5.0
    assert (registry.info("t", "s").state, registry.info("t", "s").duration) == ("live", 5.0)
    registry.close("s")
    clock.now += KEEP_ENDED
    assert (registry.info("t", "s").state, registry.info("t", "s").duration) == ("ended", 5.0)
    clock.now += 1.0
    with pytest.raises(UndertoneError) as refusal:
        registry.info("t", "s")
    assert refusal.value.code is ErrorCode.UNKNOWN_SESSION


async def test_only_so_many_ended_sessions_are_kept() -> None:
    clock = Clock()
    registry = SessionRegistry(clock)
    for number in range(MAX_ENDED + 1):
        clock.now += 0.1
        registry.open("t", str(number), info(str(number)))
        registry.close(str(number))
    assert registry.info("t", "1").state == "ended"
    with pytest.raises(UndertoneError):
        registry.info("t", "0")


async def test_a_session_is_found_by_its_own_tenant_only() -> None:
    registry = SessionRegistry()
    registry.open("t", "s", info())
    for ask in (registry.info, registry.watch):
        with pytest.raises(UndertoneError):
            ask("other", "s")


async def test_stopping_releases_watchers_and_all_ended_waits_for_the_last() -> None:
    registry = SessionRegistry()
    await registry.all_ended()
    registry.open("t", "s", info())
    registry.publish("s", "last")
    watcher, waiter = asyncio.create_task(collected(registry)), asyncio.create_task(registry.all_ended())
    await asyncio.sleep(0)
    registry.stop()
    assert await watcher == [(0, "last")]
    assert not waiter.done()
    registry.close("s")
    await waiter


async def test_events_are_written_with_their_number_and_quiet_is_filled() -> None:
    registry = SessionRegistry()
    registry.open("t", "s", info())
    events = server_sent_events(registry.watch("t", "s"), keepalive=0.01)
    assert (await anext(events)).startswith(":")
    registry.publish("s", '{"type":"result"}')
    text = await anext(events)
    while text.startswith(":"):
        text = await anext(events)
    assert text == 'id: 0\ndata: {"type":"result"}\n\n'
    registry.close("s")
    assert [rest async for rest in events if not rest.startswith(":")] == []


async def test_long_messages_take_no_more_memory_than_short_ones() -> None:
    registry = SessionRegistry()
    registry.open("t", "s", info())
    for number in range(100):
        registry.publish("s", f"{number:05}" + "x" * (HISTORY_BYTES // 10))
    registry.close("s")
    kept = await collected(registry)
    assert [number for number, _ in kept] == list(range(91, 100))
    assert sum(len(message) for _, message in kept) <= HISTORY_BYTES
