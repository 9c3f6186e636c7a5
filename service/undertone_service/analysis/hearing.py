"""How a channel's audio becomes contributions, for each kind of bundle.

A streaming bundle encodes every active step once. A window bundle runs over the last N samples, gaps and all, at every
hop and at an utterance's end; its steps contribute net speech alone, and each window what was answered.
"""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.dsp.speech import ActiveStep
from undertone_service.engine import Lane, Runner

_SLACK = 2  # steps by which the speech detector may lag behind the samples


class Hearing(Protocol):
    """What a channel needs of its bundle."""

    def pass_by(self, samples: NDArray[np.float32]) -> None:
        """Take in f32[n] of the channel, speech or not."""

    async def encode(self, step: ActiveStep) -> NDArray[np.float32]:
        """Return what an active step contributes, f32[D]; its last place: how many frames may be speech."""

    async def look(self, end: int, speech: float) -> NDArray[np.float64] | None:
        """Return what the window that ends with step ``end`` (exclusive) adds, f64[D], as it holds ``speech`` seconds.

        None where steps have contributed everything already, or with too little speech.
        """


class StreamingHearing:
    """Each active step is encoded once; windows are sums of steps."""

    def __init__(self, bundle: StreamingBundle, runner: Runner) -> None:
        self._lane = Lane(bundle)
        self._runner = runner

    def pass_by(self, samples: NDArray[np.float32]) -> None:
        """Nothing but active steps is heard."""

    async def encode(self, step: ActiveStep) -> NDArray[np.float32]:
        """Encode the step: f32[D]."""
        return await self._runner.encode(self._lane, step)

    async def look(self, end: int, speech: float) -> NDArray[np.float64] | None:
        """Steps have said it all."""
        return None


class WindowHearing:
    """The last N samples are heard anew at every look."""

    def __init__(self, bundle: WindowBundle, runner: Runner) -> None:
        self._bundle = bundle
        self._runner = runner
        self._recent: deque[NDArray[np.float32]] = deque()
        self._end = 0  # samples that have passed
        self._kept = 0  # of them, those in ``_recent``
        self._least = min(bundle.manifest.minimum_speech.model_dump().values())

    def pass_by(self, samples: NDArray[np.float32]) -> None:
        """Keep f32[n], as much as windows to come may hold."""
        self._recent.append(samples)
        self._end += len(samples)
        self._kept += len(samples)
        most = self._bundle.manifest.window_samples + _SLACK * STEP_SAMPLES
        while self._kept - len(self._recent[0]) >= most:
            self._kept -= len(self._recent.popleft())

    async def encode(self, step: ActiveStep) -> NDArray[np.float32]:
        """Return a contribution of nothing but frames of speech."""
        nothing = np.zeros(self._bundle.statistics_size, np.float32)
        nothing[-1] = step.mask.sum()
        return nothing

    async def look(self, end: int, speech: float) -> NDArray[np.float64] | None:
        """Run the window f32[N] that ends with step ``end``, zeros before the first sample."""
        if speech < self._least:
            return None
        answers = await self._runner.listen(self._bundle, self._window(end * STEP_SAMPLES))
        return self._bundle.contribution(answers, speech)

    def _window(self, end: int) -> NDArray[np.float32]:
        """Return f32[N] up to sample ``end``; a last step may end after the last sample."""
        window = np.zeros(self._bundle.manifest.window_samples, np.float32)
        start, kept = end - len(window), self._end - self._kept
        first, last = max(start, kept), min(end, self._end)
        if last > first:
            heard = np.concatenate(self._recent)
            window[first - start : last - start] = heard[first - kept : last - kept]
        return window


def hearing(bundle: Bundle, runner: Runner) -> Hearing:
    """Return how channels of this bundle hear."""
    if isinstance(bundle, StreamingBundle):
        return StreamingHearing(bundle, runner)
    assert isinstance(bundle, WindowBundle)
    return WindowHearing(bundle, runner)
