"""How many live streams the engine carries: everything that a session does but the socket, in real time, on one core.

Each stream is a channel fed 100 ms of speech every 100 ms, with a phase of its own. A number of streams passes when
the 99th percentile of the latency (arrival of a window's last sample to its result) stays under the bound and no
stream falls behind.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.verification import Verifier
from undertone_service.bundle.bundle import Bundle
from undertone_service.dsp import SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.speech import active_steps
from undertone_service.engine import Engine
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.messages import Result

WINDOW, HOP = 30, 5
"""Of all streams, in steps of 100 ms."""
_STEP_SECONDS = STEP_SAMPLES / SAMPLE_RATE
_WARM_UP = 2.0


@dataclass(frozen=True)
class Load:
    """What one number of streams led to. Latencies in milliseconds; ``busy`` is CPU seconds a second."""

    streams: int
    seconds: float
    results: int
    speech_share: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    busy: float
    passed: bool

    def row(self) -> dict[str, object]:
        """Return it as a row of a table."""
        return asdict(self)


def one_core() -> None:
    """Keep this process on one core, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def dense_speech(recordings: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join the speech of recordings f32[n] at 16 kHz, its silences left out.

    Raises:
        UndertoneError: ``not_enough_speech`` where there is less than a window of it.
    """
    steps = [step.samples for samples in recordings for step in active_steps(samples)]
    if len(steps) < WINDOW:
        raise UndertoneError(
            ErrorCode.NOT_ENOUGH_SPEECH,
            f"The recordings hold {len(steps) * _STEP_SECONDS:.1f} s of speech.",
            f"Give at least {WINDOW * _STEP_SECONDS:g} s of it.",
        )
    return np.concatenate(steps)


def measure(
    bundle: Bundle, speech: NDArray[np.float32], streams: int, seconds: float, bound_ms: float
) -> Load:
    """Run so many streams for some seconds; ``bound_ms`` is what the 99th percentile must stay under.

    Raises:
        UndertoneError: ``bad_request`` for a run that ends before there are results to measure.
    """
    if streams < 1 or seconds < _WARM_UP + 2 * HOP * _STEP_SECONDS:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{streams} streams for {seconds:g} s give no result to measure.",
            f"The first {_WARM_UP:g} s are not measured: ask for at least 1 stream and 3 s.",
        )
    return asyncio.run(_measure(bundle, speech, streams, seconds, bound_ms))


def largest(
    bundle: Bundle, speech: NDArray[np.float32], seconds: float, bound_ms: float, start: int = 100
) -> list[Load]:
    """Search the largest number of streams that passes, to 5 %; return every load tried, in order."""
    loads = []
    low, high, streams = 0, 0, start
    while not high or high - low > max(1, low // 20):
        load = measure(bundle, speech, streams, seconds, bound_ms)
        loads.append(load)
        if load.passed:
            low = streams
        else:
            high = streams
        streams = (low + high) // 2 if high else low * 2
        if streams in (0, low):
            break
    return loads


async def _measure(
    bundle: Bundle, speech: NDArray[np.float32], streams: int, seconds: float, bound_ms: float
) -> Load:
    engine = Engine()
    await engine.start()
    random = np.random.default_rng(0)
    lags: list[float] = []
    shares: list[float] = []
    begin = time.monotonic() + 0.5
    tasks = [
        asyncio.create_task(
            _stream(
                bundle,
                engine,
                np.roll(speech, -int(random.integers(len(speech)))),
                begin + phase,
                seconds,
                lags,
                shares,
            )
        )
        for phase in random.uniform(0, _STEP_SECONDS * HOP, streams)
    ]
    await asyncio.sleep(_WARM_UP)
    used, since = time.process_time(), time.monotonic()
    await asyncio.gather(*tasks)
    busy = (time.process_time() - used) / (time.monotonic() - since)
    await engine.stop()
    p50, p95, p99 = np.percentile(lags, (50, 95, 99)) * 1000
    return Load(
        streams=streams,
        seconds=seconds,
        results=len(lags),
        speech_share=round(float(np.mean(shares)), 3),
        p50_ms=round(float(p50), 1),
        p95_ms=round(float(p95), 1),
        p99_ms=round(float(p99), 1),
        busy=round(busy, 3),
        passed=bool(p99 <= bound_ms),
    )


async def _stream(
    bundle: Bundle,
    engine: Engine,
    speech: NDArray[np.float32],
    begin: float,
    seconds: float,
    lags: list[float],
    shares: list[float],
) -> None:
    """Feed one channel in real time; note the latency of each result after the warm-up."""
    claim = np.zeros(bundle.manifest.voiceprint_size, np.float32)
    claim[0] = 1
    settings = ChannelSettings(0, Role.UNKNOWN, SAMPLE_RATE, WINDOW, HOP, frozenset(Task))
    channel = Channel(settings, bundle, engine)
    channel.voice.verifier = Verifier("claim", claim, bundle.manifest, 0.5)
    for step in range(round(seconds / _STEP_SECONDS)):
        arrival = begin + (step + 1) * _STEP_SECONDS
        await asyncio.sleep(max(0.0, arrival - time.monotonic()))
        start = step * STEP_SAMPLES % (len(speech) - STEP_SAMPLES)
        for _, message in await channel.push(speech[start : start + STEP_SAMPLES]):
            if isinstance(message, Result) and message.end > _WARM_UP:
                lags.append(time.monotonic() - arrival)
                shares.append(message.speech / (message.end - message.start))
