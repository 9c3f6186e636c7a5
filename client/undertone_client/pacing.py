"""Sends audio no faster than it is meant to be heard, or than the server takes it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from undertone_client.audio import BLOCK_SECONDS
from undertone_client.audio.file import FileSource

_FAST_BLOCK_SECONDS = 0.1
_MARGIN = 0.9
"""Part of the server's highest rate that is used: clocks and queues between make the rest."""


class Pacer:
    """Spaces blocks so that audio time advances ``rate`` times as fast as the clock, without drift."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._begun: float | None = None
        self._sent = 0.0

    async def wait(self, seconds: float) -> None:
        """Wait until ``seconds`` of audio may be sent: at once for the first block."""
        clock = asyncio.get_running_loop().time
        now = clock()
        if self._begun is None or now > self._begun + self._sent / self._rate + 1.0:
            # A first block, or the server held us back: do not catch up by a burst that breaks its limit.
            self._begun = now - self._sent / self._rate
        due = self._begun + self._sent / self._rate
        self._sent += seconds
        if due > now:
            await asyncio.sleep(due - now)


class PacedFile:
    """A file heard in real time or, given the server's ``max_rate``, as fast as that allows."""

    def __init__(self, file: FileSource, max_rate: float | None = None) -> None:
        self.sample_rate = file.sample_rate
        self.channels = file.channels
        self.sent = 0.0
        """Seconds of audio handed out so far."""
        self._blocks: Iterator[bytes] = file.blocks(
            BLOCK_SECONDS if max_rate is None else _FAST_BLOCK_SECONDS
        )
        self._pacer = Pacer(1.0 if max_rate is None else max(1.0, max_rate * _MARGIN))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        block = next(self._blocks, None)
        if block is None:
            raise StopAsyncIteration
        seconds = len(block) / (2 * self.channels * self.sample_rate)
        await self._pacer.wait(seconds)
        self.sent += seconds
        return block
