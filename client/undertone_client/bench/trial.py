"""One number of streams: planned, run, and judged."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray

from undertone_client.address import authorization, socket_url
from undertone_client.bench.cores import Cores
from undertone_client.bench.generator import DRAIN, TAIL, News, Outcome, Plan, PlannedStream
from undertone_client.bench.generators import Generators
from undertone_client.bench.judgement import Measured
from undertone_client.bench.ledger import Grid, Tally
from undertone_client.bench.load import LOAD_SECONDS, Load, LoadKind, make_load
from undertone_client.bench.server import Target
from undertone_client.bench.usage import Memory, Usage
from undertone_client.bench.wire import encode
from undertone_client.problems import LocalError
from undertone_service.protocol.options import STEP_SECONDS, StreamOptions

WARM_UP = 2.0
"""Seconds after the ramp before results count."""
_RAMP = 50.0  # streams opened a second
_SEED = 6
_GRACE = 30.0


@dataclass(frozen=True)
class Conditions:
    """What all trials of a bench share; ``seconds`` of each are measured."""

    load: Load
    kind: LoadKind
    options: StreamOptions
    frame_ms: int
    seconds: float

    @property
    def grid(self) -> Grid:
        """Where results are due."""
        return Grid(
            round(self.options.window / STEP_SECONDS), round(self.options.hop / STEP_SECONDS), self.frame_ms
        )

    def measured(self, streams: int) -> tuple[float, float]:
        """Return the seconds after the start between which results count."""
        begin = ramp(streams) + self.options.hop + WARM_UP
        return begin, begin + self.seconds


def load_for(speech: NDArray[np.float32], kind: LoadKind, frame_ms: int) -> Load:
    """Make two minutes of load of speech f32[n], in whole steps and whole frames."""
    steps = unit(frame_ms) * frame_ms / 1000 / STEP_SECONDS
    return make_load(speech, kind, round(round(LOAD_SECONDS / STEP_SECONDS / steps) * steps))


def ramp(streams: int) -> float:
    """Seconds over which so many streams open."""
    return max(1.0, streams / _RAMP)


def unit(frame_ms: int) -> int:
    """Least number of frames that are whole steps: streams begin in the load at multiples of it."""
    return math.lcm(frame_ms, round(STEP_SECONDS * 1000)) // frame_ms


def planned(conditions: Conditions, streams: int, target: str, cores: Cores) -> list[Plan]:
    """Share the streams among the processes that make load; the same for the same number."""
    random = np.random.default_rng(_SEED)
    step_frames = unit(conditions.frame_ms)
    units = round(len(conditions.load.speech) * STEP_SECONDS * 1000) // (step_frames * conditions.frame_ms)
    options = conditions.options
    every = [
        PlannedStream(opens, phase, offset * step_frames)
        for opens, phase, offset in zip(
            random.uniform(0, ramp(streams), streams).tolist(),
            random.uniform(0, options.hop, streams).tolist(),
            random.integers(0, units, streams).tolist(),
            strict=True,
        )
    ]
    audio = encode(conditions.load.samples, options)
    processes = min(cores.generators, streams)
    return [
        Plan(
            address=socket_url(target, options.to_query()),
            headers=authorization(None),
            audio=audio,
            frame_bytes=options.bytes_per_second * conditions.frame_ms // 1000,
            speech=conditions.load.speech,
            grid=conditions.grid,
            streams=tuple(every[number::processes]),
            measured=conditions.measured(streams),
            cores=cores.load,
        )
        for number in range(processes)
    ]


def measure(
    conditions: Conditions,
    streams: int,
    target: Target,
    cores: Cores,
    show: Callable[[float, Sequence[News]], None],
) -> Measured:
    """Run so many streams; ``show`` is told the seconds since the start, and the latest news of each process.

    Raises:
        LocalError: the server, or a process that makes load, has ended.
    """
    try:
        meter = _Meter(target.usage, *conditions.measured(streams))
        outcomes = _run(planned(conditions, streams, target.url, cores), meter, show)
    except psutil.NoSuchProcess:
        raise LocalError(
            "The server has ended during the bench.", "Look in its log for the reason."
        ) from None
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome.tally)
    return Measured(
        streams=streams,
        seconds=conditions.seconds,
        tally=tally,
        busy=meter.busy,
        memory=meter.after,
        grown=meter.grown,
        load_busy=sum(outcome.busy for outcome in outcomes),
        generator_late=max(outcome.late for outcome in outcomes),
        bundle=outcomes[0].bundle,
    )


def _run(
    plans: Sequence[Plan], meter: "_Meter", show: Callable[[float, Sequence[News]], None]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with Generators(plans) as generators:
        start = generators.start()
        deadline = start + plans[0].measured[1] + TAIL + DRAIN + _GRACE
        for finished in generators.follow(deadline):
            elapsed = time.monotonic() - start
            meter.look(elapsed)
            outcomes += finished
            show(elapsed, generators.news)
    return outcomes


class _Meter:
    """Reads what the server takes at the beginning and at the end of what is measured."""

    def __init__(self, usage: Usage | None, begin: float, end: float) -> None:
        self._usage = usage
        self._moments = [begin, end]
        self._read: list[tuple[float, float]] = []  # seconds since the start, seconds of a core
        self._before = usage.memory() if usage else None
        self.after: Memory | None = None
        """Memory while all streams were live."""

    def look(self, elapsed: float) -> None:
        """Read, where it is time for it."""
        if self._usage is None or not self._moments or elapsed < self._moments[0]:
            return
        self._moments.pop(0)
        self._read.append((elapsed, self._usage.cpu()))
        if not self._moments:
            self.after = self._usage.memory()

    @property
    def busy(self) -> float | None:
        """Seconds of a core a second."""
        if len(self._read) < 2:
            return None
        (begin, before), (end, after) = self._read
        return (after - before) / (end - begin)

    @property
    def grown(self) -> int | None:
        """Bytes of resident memory that the streams have brought."""
        return None if self._before is None or self.after is None else self.after.rss - self._before.rss
