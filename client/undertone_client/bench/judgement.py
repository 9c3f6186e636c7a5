"""What a trial measured, and whether its number of streams passes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from undertone_client.bench.ledger import Tally
from undertone_client.bench.usage import Memory

LATENESS = 0.02
"""Seconds by which at most one frame in a hundred may be late: beyond, the generator has fallen behind."""


@dataclass(frozen=True)
class Measured:
    """One trial. ``busy`` and ``load_busy``: seconds of a core a second, of the server and of what makes the load."""

    streams: int
    seconds: float
    tally: Tally
    busy: float | None
    memory: Memory | None
    grown: int | None
    """Bytes that the streams have brought to the server's resident memory."""
    load_busy: float
    generator_late: float
    """99th percentile of how late frames were handed over, seconds."""
    bundle: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bounds:
    """What a passing trial stays within, in seconds."""

    p99: float
    hop: float

    @property
    def late(self) -> float:
        """Latency beyond which a single result is late: its successor was due, and had its own time as well."""
        return self.hop + self.p99


class Trial:
    """A judged trial."""

    def __init__(self, measured: Measured, bounds: Bounds) -> None:
        self.measured = measured
        self.late = sum(latency > bounds.late for latency in measured.tally.latencies)
        self.p50, self.p95, self.p99 = percentiles(measured.tally.latencies, 50, 95, 99)
        self.faults = list(self._faults(bounds))
        """Why it does not pass."""
        self.counts = measured.generator_late <= LATENESS
        """Whether the load was made in time: otherwise the trial says nothing."""

    @property
    def streams(self) -> int:
        """How many there were."""
        return self.measured.streams

    @property
    def passed(self) -> bool:
        """Whether the number of streams was carried."""
        return self.counts and not self.faults

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.counts:
            return f"does not count: the generator was late by {self.measured.generator_late * 1000:.0f} ms"
        return "; ".join(self.faults) or "passes"

    def _faults(self, bounds: Bounds) -> Iterator[str]:
        tally = self.measured.tally
        yield from (f"{count} × {reason}" for reason, count in sorted(tally.failures.items()))
        if not tally.expected:
            yield "no result was due"
        for count, what in ((tally.missing, "missing"), (tally.thinned, "thinned"), (self.late, "late")):
            if count:
                yield f"{count} {what}"
        if tally.latencies and self.p99 > bounds.p99:
            yield f"p99 {self.p99 * 1000:.0f} ms"

    def row(self) -> dict[str, object]:
        """Return it as a row of a table: times in ms, memory in MB or KB, None where it could not be told."""
        measured, tally = self.measured, self.measured.tally
        memory = measured.memory
        return {
            "streams": measured.streams,
            "seconds": measured.seconds,
            "results": len(tally.latencies),
            "expected": tally.expected,
            "missing": tally.missing,
            "thinned": tally.thinned,
            "late": self.late,
            "failed_streams": tally.failures.total(),
            "speech_share": _rounded(np.mean(tally.shares) if tally.shares else None, 3),
            "p50_ms": _ms(self.p50),
            "p95_ms": _ms(self.p95),
            "p99_ms": _ms(self.p99),
            "lag_p99_ms": _ms(percentiles(tally.lags, 99)[0]),
            "busy": _rounded(measured.busy, 3),
            "streams_per_core": _rounded(
                measured.streams / measured.busy if measured.busy and self.passed else None, 1
            ),
            "rss_mb": _rounded(memory.rss / 1e6 if memory else None, 1),
            "pss_mb": _rounded(memory.pss / 1e6 if memory and memory.pss is not None else None, 1),
            "kb_per_stream": _rounded(
                measured.grown / measured.streams / 1e3 if measured.grown is not None else None, 1
            ),
            "load_busy": _rounded(measured.load_busy, 3),
            "generator_late_ms": _ms(measured.generator_late),
            "passed": self.passed,
            "verdict": self.verdict,
        }


def percentiles(values: Sequence[float], *wanted: float) -> list[float]:
    """Return the wanted percentiles, linear between values; NaN for no values."""
    return np.percentile(values, wanted).tolist() if values else [float("nan")] * len(wanted)


def _ms(seconds: float) -> float | None:
    return None if np.isnan(seconds) else round(seconds * 1000, 1)


def _rounded(value: float | np.floating[Any] | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
