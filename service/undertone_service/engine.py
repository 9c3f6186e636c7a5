"""Continuous batching: many streams share one model.

A stream has at most one step in flight, because its channel awaits each step. Workers are threads: each takes
whatever waits (up to ``max_batch``), runs ONNX Runtime, which leaves the interpreter lock, and hands the results
back to the event loop; while it runs, the next batch gathers. No timers, no polling.
"""

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.dsp.speech import ActiveStep
from undertone_service.workload import Batch

_SWITCH_SECONDS = 0.0005


@dataclass(slots=True, eq=False)
class Lane:
    """The encoder's memory of one channel: ``state`` f32[S]."""

    bundle: StreamingBundle
    state: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.bundle.new_state()


class Runner(Protocol):
    """What a channel needs of a model: a step's statistics or a window's answers, and answers for sums f64[B, D]."""

    async def encode(self, lane: Lane, step: ActiveStep) -> NDArray[np.float32]:
        """Encode the next active step of a lane and advance its state."""

    async def listen(self, bundle: WindowBundle, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer for one window f32[N] of a window bundle: f32[A]."""

    async def answer(self, bundle: Bundle, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for each row of sums."""


@dataclass(slots=True, eq=False)
class _Asked:
    """What waits for a worker; ``live``: somebody waits for the answer, so its delay counts."""

    live: bool
    done: "asyncio.Future[Any]" = field(init=False)
    since: float = field(init=False)


@dataclass(slots=True, eq=False)
class _Step(_Asked):
    lane: Lane
    step: ActiveStep


@dataclass(slots=True, eq=False)
class _Window(_Asked):
    bundle: WindowBundle
    samples: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Question(_Asked):
    bundle: Bundle
    sums: NDArray[np.float64]


_Item = _Step | _Window | _Question
_Result = tuple["asyncio.Future[Any]", object]


class _Asking:
    """A ``Runner`` that asks an engine; ``live``: whether somebody waits for the answers while they speak."""

    live: bool

    async def encode(self, lane: Lane, step: ActiveStep) -> NDArray[np.float32]:
        """Encode the next active step of a lane: f32[D]."""
        statistics: NDArray[np.float32] = await self.ask(_Step(self.live, lane, step))
        return statistics

    async def listen(self, bundle: WindowBundle, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer for one window f32[N] of a window bundle: f32[A]."""
        answers: NDArray[np.float32] = await self.ask(_Window(self.live, bundle, samples))
        return answers

    async def answer(self, bundle: Bundle, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for each row of sums f64[B, D]."""
        outputs: list[Outputs] = await self.ask(_Question(self.live, bundle, sums))
        return outputs

    async def ask(self, item: _Item) -> Any:
        """Have a worker run an item; return its result."""
        raise NotImplementedError


class Engine(_Asking):
    """Runs steps and questions of all streams in batches, on ``workers`` threads.

    ``observe`` is told of every batch, on the event loop.
    """

    live = True

    def __init__(
        self, *, workers: int = 1, max_batch: int = 64, observe: Callable[[Batch], None] = lambda batch: None
    ) -> None:
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._max_batch = max_batch
        self._observe = observe
        self._threads = [
            threading.Thread(target=self._work, name=f"engine-{i}", daemon=True) for i in range(workers)
        ]
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Start the workers; results return to the loop that calls this."""
        self._loop = asyncio.get_running_loop()
        # A worker that comes back from ONNX Runtime waits for the interpreter: by default up to 5 ms each time.
        sys.setswitchinterval(_SWITCH_SECONDS)
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Finish what waits and end the workers."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    @property
    def backlog(self) -> int:
        """Steps, windows and questions that wait for a worker."""
        return self._waiting.qsize()

    async def ask(self, item: _Item) -> Any:
        """Have a worker run an item; return its result."""
        item.done = asyncio.get_running_loop().create_future()
        item.since = time.monotonic()
        self._waiting.put(item)
        return await item.done

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            batch = [item]
            while len(batch) < self._max_batch and not self._waiting.empty():
                try:
                    more = self._waiting.get_nowait()
                except queue.Empty:
                    break  # another worker was quicker
                if more is None:
                    self._waiting.put(None)
                    break
                batch.append(more)
            self._deliver(batch)

    def _deliver(self, batch: list[_Item]) -> None:
        begin = time.monotonic()
        results: list[_Result] = []
        for bundle in {id(b): b for b in map(_bundle, batch)}.values():
            items = [item for item in batch if _bundle(item) is bundle]
            try:
                results += _run(bundle, items)
            except Exception as error:  # one bundle's fault must not end the worker
                results += [(item.done, error) for item in items]
        seconds = time.monotonic() - begin
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve, batch, seconds, results)

    def _resolve(self, batch: list[_Item], seconds: float, results: list[_Result]) -> None:
        now = time.monotonic()
        self._observe(Batch(len(batch), seconds, [now - item.since for item in batch if item.live]))
        for future, result in results:
            if future.done():
                continue  # its stream has gone
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


class Background(_Asking):
    """The same engine for work that nobody waits for live: it does not count as load."""

    live = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ask(self, item: _Item) -> Any:
        """Have a worker run an item; return its result."""
        return await self._engine.ask(item)


class DirectRunner:
    """Runs every step at once and alone: for recordings outside the server."""

    async def encode(self, lane: Lane, step: ActiveStep) -> NDArray[np.float32]:
        """Encode the next active step of a lane: f32[D]."""
        statistics: NDArray[np.float32] = encode_steps(lane.bundle, [lane], [step])[0]
        return statistics

    async def listen(self, bundle: WindowBundle, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer for one window f32[N] of a window bundle: f32[A]."""
        answers: NDArray[np.float32] = bundle.listen(samples[None])[0]
        return answers

    async def answer(self, bundle: Bundle, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for each row of sums f64[B, D]."""
        return bundle.answer(sums)


def encode_steps(
    bundle: StreamingBundle, lanes: Sequence[Lane], steps: Sequence[ActiveStep]
) -> NDArray[np.float32]:
    """Encode one step of each lane in one batch and advance the lanes: f32[B, D]."""
    states = np.stack([lane.state for lane in lanes])
    for row, step in zip(states, steps, strict=True):
        if step.first:
            row[bundle.manifest.carried_state :] = 0
    samples = np.stack([step.samples for step in steps])
    statistics, states = bundle.encode(samples, np.stack([step.mask for step in steps]), states)
    for lane, state in zip(lanes, states, strict=True):
        # A copy: a view would keep the whole batch's states alive for as long as its slowest stream.
        lane.state = state.copy()
    return statistics


def _bundle(item: _Item) -> Bundle:
    return item.lane.bundle if isinstance(item, _Step) else item.bundle


def _run(bundle: Bundle, items: Sequence[_Item]) -> list[_Result]:
    """Run what one bundle is asked, each kind in one batch."""
    results: list[_Result] = []
    steps = [item for item in items if isinstance(item, _Step)]
    if steps and isinstance(bundle, StreamingBundle):
        rows = encode_steps(bundle, [item.lane for item in steps], [item.step for item in steps])
        results += zip((item.done for item in steps), rows, strict=True)
    windows = [item for item in items if isinstance(item, _Window)]
    if windows and isinstance(bundle, WindowBundle):
        rows = bundle.listen(np.stack([item.samples for item in windows]))
        results += zip((item.done for item in windows), rows, strict=True)
    questions = [item for item in items if isinstance(item, _Question)]
    if questions:
        outputs = iter(bundle.answer(np.concatenate([item.sums for item in questions])))
        results += [(item.done, [next(outputs) for _ in item.sums]) for item in questions]
    return results
