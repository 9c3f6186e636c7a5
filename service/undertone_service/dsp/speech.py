"""Where speech is: VAD and gate on frames, and the steps that the encoder is to hear.

The channel lies on an absolute grid of 100 ms steps. A step is *active* when it holds a frame that both
VAD and gate call speech, when the hang-over of the step before reaches into it, or when speech follows
within the pre-roll of 100 ms. Only active steps are encoded. The pre-roll costs no delay: a silent step is
held back, and comes out just before its successor when that turns out to begin speech. A result at a hop
therefore never waits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_service.dsp import FRAME_SAMPLES, FRAMES_PER_STEP, STEP_SAMPLES
from undertone_service.dsp.gate import EnergyGate
from undertone_service.dsp.vad import WebRtcVad

_HANGOVER_FRAMES = 2  # on top of WebRTC's own; rounded up to the end of its step
_FULL_MASK = np.ones(FRAMES_PER_STEP, np.float32)


@dataclass(frozen=True, slots=True)
class ActiveStep:
    """A step for the encoder.

    ``samples`` f32[1600], ``mask`` f32[5] (1 where a frame counts as speech), ``first`` of its utterance.
    """

    index: int
    samples: NDArray[np.float32]
    mask: NDArray[np.float32]
    first: bool


@dataclass(frozen=True, slots=True)
class HeardStep:
    """What was found in one step: ``active`` holds the steps that it released, none, one or two.

    ``level`` is the mean of |x|; ``ended`` says that an utterance has ended, its last step being ``ended``.
    """

    index: int
    level: float
    vad: bool
    gate_open: bool
    active: tuple[ActiveStep, ...]
    ended: int | None


class SpeechDetector:
    """Cuts one channel at 16 kHz into steps and finds the active ones.

    ``end_silence`` is the number of steps without speech that end an utterance.
    """

    def __init__(
        self, vad: WebRtcVad | None = None, gate: EnergyGate | None = None, end_silence: int = 5
    ) -> None:
        self._vad = vad or WebRtcVad()
        self._gate = gate or EnergyGate()
        self._end_silence = end_silence
        self._rest = np.zeros(0, np.float32)
        self._held: NDArray[np.float32] | None = None  # the step before, if it was silent
        self._hangover = 0  # frames of the next step that the last speech still reaches
        self._last_active: int | None = None  # None outside an utterance
        self.index = 0
        """Index of the next step."""

    @property
    def noise_floor(self) -> float:
        """Tracked mean of |x| between words; 0 while unknown."""
        return self._gate.noise_floor

    @property
    def in_utterance(self) -> bool:
        """Whether an utterance is open."""
        return self._last_active is not None

    def push(self, samples: NDArray[np.float32]) -> list[HeardStep]:
        """Hear f32[n]; return one entry for each step that is complete."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % STEP_SAMPLES
        self._rest = samples[whole:]
        if not whole:
            return []
        frames = samples[:whole].reshape(-1, FRAME_SAMPLES)
        levels = (np.abs(frames).sum(axis=1) / FRAME_SAMPLES).tolist()
        vad, gate = self._vad.push(frames), self._gate.push(levels)
        steps = []
        for first in range(0, len(levels), FRAMES_PER_STEP):
            part = slice(first, first + FRAMES_PER_STEP)
            step = samples[first * FRAME_SAMPLES : first * FRAME_SAMPLES + STEP_SAMPLES]
            steps.append(self._hear(step, vad[part], gate[part], levels[part]))
        return steps

    def end_utterance(self) -> int | None:
        """Close the open utterance now; return its last step, None where there is none."""
        last, self._last_active = self._last_active, None
        self._hangover = 0
        return last

    def skip(self, steps: int) -> int | None:
        """Let the clock run over a gap without audio; return the last step of an utterance it ends."""
        self._rest = np.zeros(0, np.float32)
        self._held = None
        self.index += steps
        return self.end_utterance()

    def flush(self) -> list[HeardStep]:
        """Hear what is left of an incomplete step, filled up with silence."""
        if not len(self._rest):
            return []
        return self.push(np.zeros(STEP_SAMPLES - len(self._rest), np.float32))

    def _hear(
        self, samples: NDArray[np.float32], vad: list[bool], gate: list[bool], levels: list[float]
    ) -> HeardStep:
        active = self._activate(samples, [v and g for v, g in zip(vad, gate, strict=True)])
        index = self.index
        self.index += 1
        level = sum(levels) / FRAMES_PER_STEP
        return HeardStep(index, level, vad[-1], gate[-1], active, self._ended(index))

    def _activate(self, samples: NDArray[np.float32], speech: list[bool]) -> tuple[ActiveStep, ...]:
        if not any(speech):
            if self._hangover:
                self._hangover, self._held = 0, None
                return (self._step(self.index, samples, _FULL_MASK),)
            self._held = samples
            return ()
        released: list[ActiveStep] = []
        if self._held is not None:
            preroll = _FULL_MASK.copy()
            preroll[: speech.index(True)] = 0
            released.append(self._step(self.index - 1, self._held, preroll))
            self._held = None
        last = FRAMES_PER_STEP - 1 - speech[::-1].index(True)
        self._hangover = max(0, last + _HANGOVER_FRAMES - (FRAMES_PER_STEP - 1))
        released.append(self._step(self.index, samples, _FULL_MASK))
        return tuple(released)

    def _step(self, index: int, samples: NDArray[np.float32], mask: NDArray[np.float32]) -> ActiveStep:
        step = ActiveStep(index, samples, mask, first=self._last_active is None)
        self._last_active = index
        return step

    def _ended(self, index: int) -> int | None:
        if self._last_active is not None and index - self._last_active >= self._end_silence:
            return self.end_utterance()
        return None


def active_steps(samples: NDArray[np.float32]) -> list[ActiveStep]:
    """Return the active steps of a whole recording f32[n] at 16 kHz, its last part filled up with silence."""
    detector = SpeechDetector()
    return [step for heard in detector.push(samples) + detector.flush() for step in heard.active]
