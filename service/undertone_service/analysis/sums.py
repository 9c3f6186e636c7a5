"""Sums of step statistics over a window, an utterance, a session: the additive heart of the streaming model."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class SpeechSum:
    """Summed statistics f64[D] and the net seconds of speech that went into them."""

    size: int
    statistics: NDArray[np.float64] = field(init=False)
    speech: float = 0.0

    def __post_init__(self) -> None:
        self.statistics = np.zeros(self.size)

    def add(self, statistics: NDArray[np.float32] | NDArray[np.float64], speech: float) -> None:
        """Add statistics f[D] over some net seconds of speech."""
        self.statistics += statistics
        self.speech += speech


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one step adds: its index on the channel's grid, statistics f32[D], net seconds, mean of |x|."""

    index: int
    statistics: NDArray[np.float32]
    speech: float
    level: float


class Window:
    """The contributions of the last ``steps`` steps; what leaves the window is handed over, not lost."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._contributions: deque[Contribution] = deque()

    def add(self, contribution: Contribution) -> None:
        """Take in the newest contribution."""
        self._contributions.append(contribution)

    def expire(self, end: int) -> list[Contribution]:
        """Let go of what lies before the window that ends with step ``end`` (exclusive)."""
        gone = []
        while self._contributions and self._contributions[0].index < end - self._steps:
            gone.append(self._contributions.popleft())
        return gone

    @property
    def speech(self) -> float:
        """Net seconds of speech in the window."""
        return sum(c.speech for c in self._contributions)

    @property
    def level(self) -> float:
        """Mean of |x| over the window's speech; 0 without any."""
        speech = self.speech
        return sum(c.level * c.speech for c in self._contributions) / speech if speech else 0.0

    def total(self, size: int) -> SpeechSum:
        """Sum the window anew in float64; never by adding and subtracting."""
        total = SpeechSum(size)
        if self._contributions:
            rows = np.stack([c.statistics for c in self._contributions])
            total.add(rows.sum(axis=0, dtype=np.float64), self.speech)
        return total


class Thirds:
    """Sums over the first, second and last third of a stretch whose length is not known beforehand.

    At most ``2 * blocks`` blocks are kept; when all are full, neighbours are merged and blocks last twice as long.
    So memory is fixed, and a third begins and ends right to half a block, of which there are ``blocks`` or more.
    """

    def __init__(self, size: int, blocks: int = 12) -> None:
        self._size = size
        self._most = 2 * blocks
        self._steps_per_block = 1
        self._sums: list[SpeechSum] = []

    def add(self, index: int, statistics: NDArray[np.float64], speech: float) -> None:
        """Add statistics f64[size] of step ``index``."""
        while (block := index // self._steps_per_block) >= self._most:
            self._merge()
        while len(self._sums) <= block:
            self._sums.append(SpeechSum(self._size))
        self._sums[block].add(statistics, speech)

    def thirds(self, steps: int) -> list[SpeechSum]:
        """Return the three sums of a stretch of so many steps."""
        result = [SpeechSum(self._size) for _ in range(3)]
        for block, total in enumerate(self._sums):
            middle = (block + 0.5) * self._steps_per_block
            result[min(2, int(3 * middle / max(steps, 1)))].add(total.statistics, total.speech)
        return result

    def _merge(self) -> None:
        merged = []
        for first in range(0, len(self._sums), 2):
            for other in self._sums[first + 1 : first + 2]:
                self._sums[first].add(other.statistics, other.speech)
            merged.append(self._sums[first])
        self._sums = merged
        self._steps_per_block *= 2
