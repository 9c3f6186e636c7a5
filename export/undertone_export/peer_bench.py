"""The peer's cost for each second of a live stream, beside the engine's: same speech, window and hop, one process."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertone_export.peer import PeerPipeline, PeerSettings
from undertone_service.bundle.bundle import Bundle
from undertone_service.dsp import SAMPLE_RATE, STEP_SAMPLES
from undertone_service.engine_bench import HOP, WINDOW, measure
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_BOUND_MS = 300.0


@dataclass(frozen=True)
class Cost:
    """``cpu``: seconds of a core for each second of each of ``streams`` live ones."""

    system: str
    streams: int
    cpu: float

    def row(self, reference: "Cost") -> dict[str, object]:
        """Return it as a row of a table, beside what it is compared with."""
        return {
            "system": self.system,
            "streams": self.streams,
            "cpu_seconds_a_second": float(f"{self.cpu:.4g}"),
            "streams_a_core": float(f"{1 / self.cpu:.4g}"),
            "times_the_engine": float(f"{self.cpu / reference.cpu:.4g}"),
        }


def peer_costs(
    speech: NDArray[np.float32], batch: int, seconds: float, settings: PeerSettings | None = None
) -> list[Cost]:
    """Measure the peer on speech f32[n] at 16 kHz: its voiceprint alone, all of it, and all of it in batches.

    Each is run for ``seconds``, and for two batches at least, after one that is not counted.
    """
    torch.set_num_threads(1)
    pipeline = PeerPipeline(settings or PeerSettings()).eval()
    windows = torch.from_numpy(_windows(speech))
    return [
        Cost("peer: ECAPA-TDNN only, window by window", 1, _cost(pipeline.voice, windows, 1, seconds)),
        Cost("peer: window by window", 1, _cost(pipeline, windows, 1, seconds)),
        Cost("peer: batched over streams", batch, _cost(pipeline, windows, batch, seconds)),
    ]


def engine_costs(
    bundle: Bundle, speech: NDArray[np.float32], streams: int, seconds: float, bound_ms: float | None = None
) -> list[Cost]:
    """Measure the engine with one stream, and with so many as it carries within a bound, ``streams`` at most.

    Raises:
        UndertoneError: ``overloaded`` where it does not carry a single one.
    """
    bound = _BOUND_MS if bound_ms is None else bound_ms
    return [_carried(bundle, speech, number, seconds, bound) for number in (1, streams)]


def _carried(
    bundle: Bundle, speech: NDArray[np.float32], streams: int, seconds: float, bound_ms: float
) -> Cost:
    """Halve the number until it passes: a core that falls behind uses less than the streams ask for."""
    while streams:
        load = measure(bundle, speech, streams, seconds, bound_ms)
        if load.passed:
            return Cost("Undertone's engine", streams, load.busy / streams)
        streams //= 2
    raise UndertoneError(
        ErrorCode.OVERLOADED,
        "The engine carries not even one stream here.",
        "Run this on a machine that has nothing else to do.",
    )


def _windows(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the windows f32[K, N] that a live stream of this speech would be asked about."""
    every = np.lib.stride_tricks.sliding_window_view(speech, WINDOW * STEP_SAMPLES)
    return np.ascontiguousarray(every[:: HOP * STEP_SAMPLES])


def _cost(run: Callable[[Tensor], object], windows: Tensor, batch: int, seconds: float) -> float:
    """Return the seconds of a core that a second of a stream takes."""
    batches = _batches(len(windows), batch)
    spent, counted = 0.0, 0
    with torch.inference_mode():
        run(windows[next(batches)])
        while spent < seconds or counted < 2:
            chosen = windows[next(batches)]
            begin = time.process_time()
            run(chosen)
            spent += time.process_time() - begin
            counted += 1
    return spent / (counted * batch) / (HOP * STEP_SAMPLES / SAMPLE_RATE)


def _batches(count: int, batch: int) -> Iterator[Tensor]:
    """Yield indices of windows, one for each of ``batch`` streams that are at different places."""
    places = np.linspace(0, count, batch, endpoint=False).astype(int)
    for hop in itertools.count():
        yield torch.from_numpy((places + hop) % count)
