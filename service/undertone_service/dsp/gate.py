"""Energy-envelope gate: frames too quiet to be this channel's speech are shut out.

The envelope is the rolling mean of |x| over 100 ms. It is held against the larger of an absolute floor and
a multiple of the noise floor, which is tracked by minimum statistics (Martin, 2001): the least envelope of
the last five seconds. Speech has gaps within that time, so that long speech does not raise it.
"""

from collections import deque

from undertone_service.dsp import FRAMES_PER_STEP

_BLOCK_FRAMES = 25  # 0.5 s
_BLOCKS = 10


class EnergyGate:
    """Opens for frames whose envelope exceeds the threshold.

    ``absolute_floor`` is a mean of |x| on the scale of [-1, 1]; ``ratio`` multiplies the noise floor.
    """

    def __init__(self, absolute_floor: float = 3e-4, ratio: float = 2.0) -> None:
        self._absolute_floor = absolute_floor
        self._ratio = ratio
        self._recent: deque[float] = deque([0.0] * FRAMES_PER_STEP, maxlen=FRAMES_PER_STEP)
        # Until five seconds are known the least is 0: only the absolute floor counts.
        self._minima: deque[float] = deque([0.0] * _BLOCKS, maxlen=_BLOCKS)
        self._least = float("inf")
        self._frames = 0
        self._threshold = absolute_floor

    @property
    def noise_floor(self) -> float:
        """Tracked mean of |x| between words; 0 while unknown."""
        return min(self._minima)

    def push(self, levels: list[float]) -> list[bool]:
        """Judge 20 ms frames by their mean of |x|; return a decision for each."""
        return [self._judge(level) for level in levels]

    def _judge(self, level: float) -> bool:
        self._recent.append(level)
        envelope = sum(self._recent) / FRAMES_PER_STEP
        self._least = min(self._least, envelope)
        self._frames += 1
        if self._frames == _BLOCK_FRAMES:
            self._end_block()
        # An onset is heard before the mean has risen, hence the frame's own level too.
        return max(envelope, level) > self._threshold

    def _end_block(self) -> None:
        self._minima.append(self._least)
        self._least, self._frames = float("inf"), 0
        self._threshold = max(self._absolute_floor, self._ratio * self.noise_floor)
