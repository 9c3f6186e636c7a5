"""The process that makes load: opens its streams one after another, sends each in real time, hears the answers.

One loop hands over every frame of every stream when it is due, and measures how late it was: a generator that falls
behind would make a server look better or worse than it is, so its trial does not count.
"""

import asyncio
import contextlib
import gc
import heapq
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.uri import WebSocketURI, parse_uri

from undertone_client.bench.ledger import Grid, Ledger, Tally
from undertone_client.bench.socket import LoadSocket
from undertone_client.bench.wire import framed
from undertone_service.protocol.messages import Close
from undertone_service.protocol.options import STEP_SECONDS

TAIL = 0.5
"""Seconds that streams go on after the last result that counts is due."""
DRAIN = 10.0
"""Seconds in which a session has to end once it has been asked to."""
_TURN = 32  # frames handed over before what has come in is read
_LONGEST_SLEEP = 0.01
_NEWS = 1.0


@dataclass(frozen=True)
class PlannedStream:
    """``opens``: seconds after the start; ``phase``: seconds more until its first sample; ``offset``: into the load."""

    opens: float
    phase: float
    offset: int
    """In frames; always a whole number of steps."""


@dataclass(frozen=True)
class Plan:
    """What one process does. ``measured``: seconds after the start between which results count."""

    address: str
    headers: Mapping[str, str]
    audio: bytes
    frame_bytes: int
    speech: NDArray[np.bool_]
    grid: Grid
    streams: tuple[PlannedStream, ...]
    measured: tuple[float, float]
    cores: frozenset[int] | None


@dataclass(frozen=True)
class News:
    """How it goes: streams that are open, results so far, the worst latency since the last news in seconds."""

    streams: int
    results: int
    worst: float


@dataclass
class Outcome:
    """What one process measured. ``late``: 99th percentile of how late frames were, seconds; ``busy``: of a core."""

    tally: Tally
    late: float
    busy: float
    bundle: Mapping[str, Any] = field(default_factory=dict)
    """What the server said of its model."""


READY = "ready"


def generate(plan: Plan, parent: Connection) -> None:
    """Say ``READY``, receive when to start by the monotonic clock, send ``News`` now and then, then the ``Outcome``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    if plan.cores is not None:
        os.sched_setaffinity(0, plan.cores)
    generator = _Generator(plan, parent)
    gc.freeze()
    gc.disable()  # a collection over hundreds of streams would hold all of them up
    parent.send(READY)
    parent.send(asyncio.run(generator.run(parent.recv())))


class _Stream:
    """One session: a listener of its socket, and what is next to be done for it."""

    def __init__(self, plan: Plan, planned: PlannedStream, frames: list[bytes]) -> None:
        self.ledger = Ledger(plan.grid, np.roll(plan.speech, -_steps(plan, planned.offset)))
        self.planned = planned
        self.socket: LoadSocket | None = None
        self.bundle: Mapping[str, Any] = {}
        self.started = asyncio.Event()
        self.over = asyncio.Event()
        self.worst = 0.0
        self.results = 0
        self._frames = frames
        self._next = planned.offset

    def hear(self, text: str) -> None:
        """Take a message of the server."""
        now = time.monotonic()
        message = json.loads(text)
        match message["type"]:
            case "result":
                start, end, speech = message["start"], message["end"], message["speech"]
                latency = self.ledger.result(start, end, speech, message["lag_ms"], now)
                self.results += latency is not None
                self.worst = max(self.worst, latency or 0.0)
            case "session.started":
                self.bundle = message["bundle"]
                self.started.set()
            case "warning" if message["code"] == "thinned":
                self.ledger.thinned += message["count"]
            case "error":
                self.fail(f"refused: {message['code']}")
            case "session.ended":
                self.over.set()

    def closed(self, reason: str) -> None:
        """Learn that the connection has ended."""
        if not self.over.is_set():
            self.fail(reason)
        self.started.set()

    def fail(self, reason: str) -> None:
        """Note why the session is over, unless a reason is known."""
        self.ledger.failure = self.ledger.failure or reason
        self.over.set()

    def send(self) -> None:
        """Hand over the next frame."""
        assert self.socket is not None
        frame = self._frames[self._next]
        self._next = (self._next + 1) % len(self._frames)
        self.ledger.hand(time.monotonic())
        self.socket.send_frame(frame)


class _Generator:
    def __init__(self, plan: Plan, parent: Connection) -> None:
        self._plan = plan
        self._parent = parent
        self._uri: WebSocketURI = parse_uri(plan.address)
        self._frames = framed(plan.audio, plan.frame_bytes)
        planned = sorted(plan.streams, key=lambda stream: stream.opens)
        self._streams = [_Stream(plan, stream, self._frames) for stream in planned]
        self._due: list[tuple[float, int]] = []  # when the next frame of a stream is
        self._late: list[float] = []

    async def run(self, start: float) -> Outcome:
        """Make the load from ``start`` on, by the clock."""
        since, until = (start + seconds for seconds in self._plan.measured)
        opening = asyncio.create_task(self._open(start))
        used = [0.0, 0.0]
        loop = asyncio.get_running_loop()
        for place, moment in enumerate((since, until)):
            loop.call_at(moment - time.monotonic() + loop.time(), self._note_time, used, place)
        await self._send(since, until)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        await self._end()
        tally = Tally()
        for stream in self._streams:
            tally.add(stream.ledger.tally(since, until))
        late = float(np.percentile(self._late, 99)) if self._late else 0.0
        bundle: Mapping[str, Any] = next((stream.bundle for stream in self._streams if stream.bundle), {})
        return Outcome(tally, late, (used[1] - used[0]) / (until - since), bundle)

    @staticmethod
    def _note_time(used: list[float], place: int) -> None:
        used[place] = time.process_time()

    async def _open(self, start: float) -> None:
        """Open the streams when each is planned to be."""
        async with asyncio.TaskGroup() as group:
            for number, stream in enumerate(self._streams):
                await asyncio.sleep(max(0.0, start + stream.planned.opens - time.monotonic()))
                group.create_task(self._connect(stream, number))

    async def _connect(self, stream: _Stream, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, stream.socket = await loop.create_connection(
                lambda: LoadSocket(self._uri, self._plan.headers, stream),
                self._uri.host,
                self._uri.port,
                ssl=self._uri.secure or None,
            )
        except OSError as error:
            stream.fail(f"no connection: {os.strerror(error.errno) if error.errno else error}")
            return
        await stream.started.wait()
        if not stream.over.is_set():
            stream.ledger.begun = time.monotonic() + stream.planned.phase
            heapq.heappush(self._due, (stream.ledger.begun + self._frame_seconds, number))

    @property
    def _frame_seconds(self) -> float:
        return self._plan.grid.frame_ms / 1000

    async def _send(self, since: float, until: float) -> None:
        """Hand over every frame when it is due, until the tail is over."""
        news = 0.0
        while (now := time.monotonic()) < until + TAIL:
            sent = 0
            while self._due and self._due[0][0] <= now and sent < _TURN:
                due, number = self._due[0]
                stream = self._streams[number]
                if stream.over.is_set():
                    heapq.heappop(self._due)
                    continue
                stream.send()
                if since <= due < until:
                    self._late.append(time.monotonic() - due)
                heapq.heapreplace(self._due, (due + self._frame_seconds, number))
                sent += 1
            if now >= news:
                news = now + _NEWS
                self._tell()
            await asyncio.sleep(0 if sent == _TURN else self._pause())

    def _pause(self) -> float:
        """Seconds until a frame is due; bounded, since streams begin meanwhile."""
        due = self._due[0][0] - time.monotonic() if self._due else _LONGEST_SLEEP
        return min(max(due, 0.0), _LONGEST_SLEEP)

    def _tell(self) -> None:
        live = sum(stream.ledger.begun is not None and not stream.over.is_set() for stream in self._streams)
        results = sum(stream.results for stream in self._streams)
        self._parent.send(News(live, results, max(stream.worst for stream in self._streams)))
        for stream in self._streams:
            stream.worst = 0.0

    async def _end(self) -> None:
        """Ask all sessions to end, and wait for that; those that do not have failed."""
        for stream in self._streams:
            if stream.ledger.begun is None:
                stream.fail("not begun in time")
            elif not stream.over.is_set() and stream.socket is not None:
                stream.socket.send_text(Close().model_dump_json())
        try:
            async with asyncio.timeout(DRAIN):
                for stream in self._streams:
                    await stream.over.wait()
        except TimeoutError:
            for stream in self._streams:
                if not stream.over.is_set():
                    stream.fail("did not end in time")
        for stream in self._streams:
            if stream.socket is not None:
                stream.socket.abort()


def _steps(plan: Plan, frames: int) -> int:
    return round(frames * plan.grid.frame_ms / 1000 / STEP_SECONDS)
