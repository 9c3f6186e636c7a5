"""What one stream sent and got back, by times: which results were due, which came, and how long each took.

Clock times are seconds of the monotonic clock; audio is counted in steps of 100 ms from the stream's first sample.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undertone_service.protocol.options import STEP_SECONDS

_STEP_MS = round(STEP_SECONDS * 1000)


@dataclass(frozen=True)
class Grid:
    """Where results are due: ``window`` and ``hop`` in steps, audio handed over in frames of ``frame_ms``."""

    window: int
    hop: int
    frame_ms: int

    def frame(self, end: int) -> int:
        """Number of the frame with the last sample before the end of so many steps."""
        return -(-end * _STEP_MS // self.frame_ms) - 1

    def end(self, start: float, end: float) -> int | None:
        """Step at which a result from ``start`` to ``end`` seconds ends; None where no such result was asked for."""
        last = round(end / STEP_SECONDS)
        first = max(0, last - self.window)
        fits = abs(end - last * STEP_SECONDS) < 1e-6 and abs(start - first * STEP_SECONDS) < 1e-6
        return last if fits and last > 0 and last % self.hop == 0 else None


@dataclass
class Tally:
    """What some streams led to. Latencies and lags in seconds, ``shares``: net speech over each window's length."""

    expected: int = 0
    missing: int = 0
    thinned: int = 0
    latencies: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    """Streams that were refused, were lost or did not end in time, by reason."""

    def add(self, other: "Tally") -> None:
        """Count other streams too."""
        self.expected += other.expected
        self.missing += other.missing
        self.thinned += other.thinned
        self.latencies += other.latencies
        self.lags += other.lags
        self.shares += other.shares
        self.failures += other.failures


@dataclass(frozen=True, slots=True)
class _Heard:
    latency: float
    lag: float
    share: float


class Ledger:
    """One stream's. ``speech`` bool[n] says which steps of its audio are active; the audio repeats after n steps.

    A result is expected at each hop in which somebody surely speaks: not only in the first or last step of a stretch,
    which the server's detector may see otherwise. What a server does in silence is its own affair.
    """

    def __init__(self, grid: Grid, speech: NDArray[np.bool_]) -> None:
        self._grid = grid
        self._speech = speech & np.roll(speech, 1) & np.roll(speech, -1)
        self._handed: list[float] = []
        self._heard: dict[int, _Heard] = {}
        self.begun: float | None = None
        """When the first sample was spoken: its frame is handed over one frame later."""
        self.thinned = 0
        self.failure: str | None = None

    def hand(self, now: float) -> None:
        """Note that the next frame has been handed to the socket."""
        self._handed.append(now)

    def result(self, start: float, end: float, speech: float, lag_ms: float, now: float) -> float | None:
        """Note a result, and return its latency: from handing over its window's last sample until now.

        None, and not noted, where it answers no window that has been asked for and handed over.
        """
        last = self._grid.end(start, end)
        if last is None or self._grid.frame(last) >= len(self._handed):
            return None
        latency = now - self._handed[self._grid.frame(last)]
        self._heard.setdefault(last, _Heard(latency, lag_ms / 1000, speech / (end - start)))
        return latency

    def tally(self, since: float, until: float) -> Tally:
        """Count the results that were due, by the clock, from ``since`` to ``until``."""
        tally = Tally(thinned=self.thinned)
        if self.failure is not None:
            tally.failures[self.failure] += 1
        if self.begun is None:
            return tally
        for end in range(self._grid.hop, int((until - self.begun) / STEP_SECONDS) + 1, self._grid.hop):
            if not since <= self.begun + end * STEP_SECONDS < until:
                continue
            expected = self._is_speech(end)
            heard = self._heard.get(end)
            tally.expected += expected
            if heard is not None:
                tally.latencies.append(heard.latency)
                tally.lags.append(heard.lag)
                tally.shares.append(heard.share)
            elif expected:
                tally.missing += 1
        return tally

    def _is_speech(self, end: int) -> bool:
        return bool(np.take(self._speech, np.arange(end - self._grid.hop, end), mode="wrap").any())
