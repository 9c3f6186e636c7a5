"""The processes that make load, against a scripted server in which results are known to go missing or come late."""

import asyncio
import time
from collections.abc import Iterable

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from tests.client.peer import RESULT, ended, peer, say, started
from undertone_client.address import socket_url
from undertone_client.bench.generator import Outcome, Plan, PlannedStream
from undertone_client.bench.generators import Generators
from undertone_client.bench.judgement import Bounds, Measured, Trial
from undertone_client.bench.ledger import Grid
from undertone_client.problems import LocalError
from undertone_service.protocol.messages import Error, Notice
from undertone_service.protocol.options import StreamOptions

HOP_BYTES, FRAME_BYTES = 8000, 320  # half a second and 20 ms at 8 kHz, two bytes a sample
DELAY = 1.5
MEASURED = (1.5, 3.5)
DUE = 4  # hops of half a second in what is measured


class Misbehaving:
    """A server that answers the first stream as it should, and every further one in a way of its own."""

    def __init__(self) -> None:
        self.opened = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, socket: ServerConnection) -> None:
        ways = [self.answer, self.fall_silent, self.drop, self.be_late, self.thin, self.refuse]
        way = ways[self.opened]
        self.opened += 1
        await way(socket)

    async def answer(self, socket: ServerConnection, delay: float = 0.0, least: int = 0) -> None:
        await say(socket, started(socket))
        heard = answered = 0
        late = []
        async for data in socket:
            if isinstance(data, str):
                break
            heard += len(data)
            while heard >= (answered + 1) * HOP_BYTES:
                answered += 1
                if answered < least:
                    continue
                end = answered * 0.5
                result = RESULT.model_copy(update={"start": max(0.0, end - 3.0), "end": end})
                late.append(asyncio.create_task(self.say_later(socket, result, delay)))
        await asyncio.gather(*late)
        await say(socket, ended())

    @staticmethod
    async def say_later(socket: ServerConnection, result: object, delay: float) -> None:
        await asyncio.sleep(delay)
        await say(socket, result)  # type: ignore[arg-type]

    async def fall_silent(self, socket: ServerConnection) -> None:
        await self.answer(socket, least=10_000)

    async def drop(self, socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.recv()

    async def be_late(self, socket: ServerConnection) -> None:
        await self.answer(socket, delay=DELAY)

    async def thin(self, socket: ServerConnection) -> None:
        await say(socket, Notice(code="thinned", problem="Dropped.", remedy="Read.", count=2))
        await self.answer(socket)

    async def refuse(self, socket: ServerConnection) -> None:
        await say(socket, Error(code="overloaded", problem="Full.", remedy="Wait.", retry_after=5.0))
        await socket.close(4013)


def plan(address: str, opens: Iterable[float]) -> Plan:
    return Plan(
        address=socket_url(address, StreamOptions(sample_rate=8000).to_query()),
        headers={},
        audio=b"\x01\x02" * 8000 * 2,
        frame_bytes=FRAME_BYTES,
        speech=np.ones(20, np.bool_),
        grid=Grid(30, 5, 20),
        streams=tuple(PlannedStream(moment, 0.0, 0) for moment in opens),
        measured=MEASURED,
        cores=None,
    )


def run(plans: list[Plan]) -> list[Outcome]:
    with Generators(plans) as generators:
        start = generators.start()
        outcomes = [one for some in generators.follow(start + 60.0) for one in some]
        assert [news.streams for news in generators.news] == [
            4
        ]  # the dropped and the refused one are not live
    return outcomes


def judged(outcome: Outcome) -> Trial:
    measured = Measured(6, 2.0, outcome.tally, None, None, None, outcome.busy, 0.0)
    return Trial(measured, Bounds(p99=0.3, hop=0.5))


async def test_what_goes_missing_comes_late_or_ends_is_counted() -> None:
    async with peer(Misbehaving()) as address:
        (outcome,) = await asyncio.to_thread(run, [plan(address, [0.1 * i for i in range(6)])])
    tally, trial = outcome.tally, judged(outcome)
    assert tally.expected == 5 * DUE  # of every stream that began
    assert tally.missing == 2 * DUE  # the silent and the dropped one's
    assert len(tally.latencies) == 3 * DUE
    assert tally.thinned == 2
    assert sum(latency >= DELAY for latency in tally.latencies) == trial.late == DUE
    assert tally.failures == {"closed with code 1000": 1, "refused: overloaded": 1}
    assert outcome.bundle["name"] == "tiny"
    assert 0 < outcome.busy < 1
    assert "8 missing; 2 thinned; 4 late" in trial.verdict
    assert not trial.passed


def test_a_server_that_is_not_there() -> None:
    with Generators([plan("ws://127.0.0.1:9", [0.0])]) as generators:
        (outcome,) = [one for some in generators.follow(generators.start() + 60.0) for one in some]
    assert outcome.tally.failures == {"no connection: Connection refused": 1}
    assert judged(outcome).verdict.endswith("no result was due")


def test_a_process_that_dies_is_noticed() -> None:
    with Generators([plan("ws://127.0.0.1:9", [0.0])]) as generators:
        start = generators.start()
        generators._processes[0].kill()
        with pytest.raises(LocalError):
            list(generators.follow(start + 60.0))
    with Generators([plan("ws://127.0.0.1:9", [0.0])]) as generators:
        generators.start()
        with pytest.raises(LocalError):
            list(generators.follow(time.monotonic()))
