"""Flow control of one socket: how fast audio may come in, and what happens when results do not get out."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Result, ServerMessageBase


class Pace:
    """Refuses audio that lastingly comes faster than ``max_rate`` times real time.

    ``allowance`` is how many seconds of audio a sender may be ahead of that; ``clock`` gives seconds.
    """

    def __init__(
        self, max_rate: float, allowance: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_rate = max_rate
        self._allowance = allowance
        self._clock = clock
        self._last = clock()
        self._ahead = 0.0

    def take(self, seconds: float) -> None:
        """Count audio that came in.

        Raises:
            UndertoneError: ``too_fast``.
        """
        now = self._clock()
        self._ahead = max(0.0, self._ahead - (now - self._last) * self._max_rate) + seconds
        self._last = now
        if self._ahead > self._allowance + seconds:
            raise UndertoneError(
                ErrorCode.TOO_FAST,
                f"Audio came more than {self._allowance:.0f} s ahead of {self._max_rate:g} times real time.",
                f"Send at most {self._max_rate:g} seconds of audio a second, or upload to /v1/analyze.",
            )


_TEXT_SECONDS = 0.01


def waiting_seconds(content: bytes | str, bytes_per_second: int) -> float:
    """Return what a message counts as while it waits, in seconds of audio; text does too, or a flood would pile up."""
    return len(content) / bytes_per_second + (_TEXT_SECONDS if isinstance(content, str) else 0.0)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send; ``arrival`` is when the audio that it rests on came in (monotonic seconds)."""

    message: ServerMessageBase
    arrival: float | None


class Outbox:
    """Messages on their way to a client that may read slowly.

    Above ``most`` waiting messages, every other waiting result is dropped, and only results: events, utterances,
    warnings and answers always get through. ``dropped`` is told at once how many went; ``take_thinned`` hands out the
    count for the client.
    """

    def __init__(self, most: int = 200, dropped: Callable[[int], None] = lambda count: None) -> None:
        self._most = most
        self._dropped = dropped
        self._waiting: deque[Outgoing] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._thinned = 0

    def put(self, message: ServerMessageBase, arrival: float | None = None) -> None:
        """Queue a message; after the end there is nothing more to say."""
        if self._ended:
            return
        self._waiting.append(Outgoing(message, arrival))
        if len(self._waiting) > self._most:
            self._thin()
        self._changed.set()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._changed.set()

    @property
    def full(self) -> bool:
        """Whether so much waits, results thinned already, that nothing more should be taken in."""
        return len(self._waiting) > 2 * self._most

    async def get(self) -> Outgoing | None:
        """Return the next message; None after the last."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()

    def take_thinned(self) -> int:
        """Return how many results were dropped since the last call."""
        count, self._thinned = self._thinned, 0
        return count

    def _thin(self) -> None:
        """Drop every other waiting result."""
        kept: deque[Outgoing] = deque()
        results = 0
        for outgoing in self._waiting:
            if isinstance(outgoing.message, Result):
                results += 1
                if results % 2:
                    continue
            kept.append(outgoing)
        count = len(self._waiting) - len(kept)
        self._waiting = kept
        self._thinned += count
        self._dropped(count)
