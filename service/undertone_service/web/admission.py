"""Which new streams are taken: as many as the measured load allows, so that those there keep their latency."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.settings import Settings
from undertone_service.web.refusals import draining
from undertone_service.workload import SMOOTHING, Workload

_RESUME = 0.8
"""Part of a limit to which load and delay must fall before streams are taken again: no flapping."""
_ASSUMED_COST = 0.006
"""Load that one stream is assumed to be until some are measured."""
_PRIOR_STREAMS = 10
"""So many streams must have been measured before their mean cost outweighs the assumed one."""
_RETRY = (5.0, 15.0)
"""Seconds after which a refused client may try again: spread, so that not all of them return at once."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no stream is taken: ``reason`` for metrics, ``error`` for the client."""

    reason: str
    error: UndertoneError


class Admission:
    """Counts live streams (channels) and decides about new ones.

    A stream shows in the smoothed load only after seconds. Until then it counts with the part that does not show
    yet of what a stream costs, which is the mean of those measured. So a burst of connections cannot slip through
    between two measurements. ``draining`` is set when the server is about to stop; ``clock`` gives seconds.
    """

    def __init__(
        self,
        settings: Settings,
        workload: Workload,
        draining: asyncio.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.streams = 0
        self._draining = draining
        self._settings = settings
        self._workload = workload
        self._clock = clock
        self._overloaded = False
        self._unseen = 0.0
        self._last = clock()

    def refusal(self, channels: int = 1) -> Refusal | None:
        """Return why so many more channels cannot be taken now; None where they can."""
        if self._draining.is_set():
            return Refusal("draining", draining())
        most = self._settings.max_streams
        if self.streams + channels > most:
            return _busy("streams", f"{self.streams} of {most} streams of this server are in use.")
        if not self.streams:
            return None  # whatever loads this machine, there is nobody to protect
        load, delay = self._expected_load(channels), self._workload.delay
        max_load, max_delay = self._settings.max_load, self._settings.max_step_delay
        bound = _RESUME if self._overloaded else 1.0
        late, loaded = delay > bound * max_delay, load > bound * max_load
        self._overloaded = late or loaded
        if late:
            return _busy(
                "delay", f"Steps take {1000 * delay:.0f} ms; the limit is {1000 * max_delay:.0f} ms."
            )
        if loaded:
            return _busy("load", f"The load would be {load:.2f}; the limit is {max_load:.2f}.")
        return None

    @contextmanager
    def admitted(self, channels: int) -> Iterator[None]:
        """Hold the places of so many channels."""
        self._age()
        self._unseen += channels
        self.streams += channels
        try:
            yield
        finally:
            self.streams -= channels

    def _expected_load(self, channels: int) -> float:
        self._age()
        seen = max(0.0, self.streams - self._unseen)
        cost = (_PRIOR_STREAMS * _ASSUMED_COST + self._workload.load) / (_PRIOR_STREAMS + seen)
        return self._workload.load + cost * (self._unseen + channels)

    def _age(self) -> None:
        now = self._clock()
        self._unseen *= math.exp((self._last - now) / SMOOTHING)
        self._last = now


def _busy(reason: str, problem: str) -> Refusal:
    retry_after = round(random.uniform(*_RETRY), 1)
    error = UndertoneError(ErrorCode.OVERLOADED, problem, "Connect again later.", retry_after=retry_after)
    return Refusal(reason, error)
