"""How loaded this process is, measured: what admission and ``/readyz`` go by.

**Load**, 0 to 1 and more, is the larger of two shares of time. The event loop's is the processor time of its thread.
The engine's is what its items alone take: a batch costs a fixed time and a time for each item, and while little
waits, batches are small and nearly all fixed time. So the plain share of time in which the engine runs is close to 1
long before more would be too much; the slope of a batch's time over its size tells how near that is.

**Delay** is how long a step takes from being ready to being back: the wait for the batch before it, its own batch,
and the loop's lateness. A stream has one step of 100 ms in flight, so above 0.1 s streams fall behind real time.

Both are smoothed over ``SMOOTHING`` seconds. Work that nobody waits for live (uploads) is left out: it fills
whatever time there is, and yields to streams.
"""

import asyncio
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

SMOOTHING = 3.0
"""Seconds over which load and delay are smoothed."""
_PERIOD = 0.25
_COST_SMOOTHING = 20.0


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of the network: items in it, seconds it took, and the delay of each item of a live stream."""

    size: int
    seconds: float
    delays: Sequence[float]


class Workload:
    """Takes in what the engine reports, and measures every quarter of a second while ``watch`` runs.

    ``cores`` are those that this process may use.
    """

    def __init__(self, cores: int | None = None) -> None:
        self.load = 0.0
        self.delay = 0.0
        self._cores = cores or usable_cores()
        self._batches: list[Batch] = []
        self._cost = ItemCost()

    def ran(self, batch: Batch) -> None:
        """Count one run of the network; called on the event loop."""
        self._batches.append(batch)

    async def watch(self) -> None:
        """Measure until cancelled."""
        now, used = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(_PERIOD)
            before, now = now, time.monotonic()
            used_before, used = used, time.thread_time()
            self.measure(now - before, used - used_before)

    def measure(self, seconds: float, loop_seconds: float) -> None:
        """Take in a period: how long it lasted, and what the loop's thread used of it."""
        batches, self._batches = self._batches, []
        delays = [delay for batch in batches for delay in batch.delays]
        self._cost.add(batches, seconds)
        engine = len(delays) * self._cost.item / seconds
        loop = loop_seconds / seconds
        load = max(engine, loop, (engine + loop) / self._cores)
        lateness = max(0.0, seconds - _PERIOD)
        delay = max(lateness, sum(delays) / len(delays) if delays else 0.0)
        weight = 1 - math.exp(-seconds / SMOOTHING)
        self.load += weight * (load - self.load)
        self.delay += weight * (delay - self.delay)


class ItemCost:
    """Seconds that one more item adds to a batch: the slope of time over size among recent batches."""

    def __init__(self) -> None:
        self._sums = (0.0,) * 5

    def add(self, batches: Sequence[Batch], seconds: float) -> None:
        """Take in the batches of a period of so many seconds."""
        kept = math.exp(-seconds / _COST_SMOOTHING)
        count, size, time_, square, product = (kept * total for total in self._sums)
        for batch in batches:
            count += 1
            size += batch.size
            time_ += batch.seconds
            square += batch.size**2
            product += batch.size * batch.seconds
        self._sums = count, size, time_, square, product

    @property
    def item(self) -> float:
        """The slope, in seconds; where sizes hardly differ, or the slope makes no sense, the mean of an item."""
        count, size, time_, square, product = self._sums
        if not size:
            return 0.0
        mean = time_ / size
        spread = count * square - size**2
        if spread < 0.01 * size**2:
            return mean
        return min(mean, max(mean / 10, (count * product - size * time_) / spread))


def usable_cores() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
