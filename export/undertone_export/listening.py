"""What a live channel makes of a recording: what VAD and gate let through, and what the encoder says of each step."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Manifest
from undertone_service.dsp import FRAMES_PER_STEP, SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.speech import ActiveStep
from undertone_service.engine import DirectRunner, Lane
from undertone_service.protocol.labels import Role

Samples = NDArray[np.float32]
_NO_SAMPLES = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Listened:
    """A recording of ``seconds`` through a channel, which counted ``speech`` net seconds.

    ``steps`` are those that VAD and gate let through, without samples; ``outputs`` is the encoder's speech output over
    each: the sum over its 20 ms frames.
    """

    seconds: float
    speech: float
    steps: list[ActiveStep]
    outputs: list[float]

    def let_through(self) -> NDArray[np.bool_]:
        """Return the 20 ms frames that VAD and gate call speech, bool[n]."""
        return self._frames(step.index for step in self.steps)

    def counted(self, manifest: Manifest) -> NDArray[np.bool_]:
        """Return the 20 ms frames that count as speech by a manifest's rule, bool[n]."""
        confirmation = SpeechConfirmation(manifest)
        indices = [
            contribution.index
            for step, output in zip(self.steps, self.outputs, strict=True)
            for contribution in confirmation.push(step, np.array([output], np.float32))
        ]
        return self._frames(indices)

    def _frames(self, indices: Iterable[int]) -> NDArray[np.bool_]:
        frames = np.zeros((-(-round(self.seconds * SAMPLE_RATE) // STEP_SAMPLES), FRAMES_PER_STEP), np.bool_)
        masks = {step.index: step.mask for step in self.steps}
        for index in indices:
            frames[index] = masks[index]
        return frames.ravel()


def listen(bundle: Bundle, recordings: Sequence[Samples], what: str) -> list[Listened]:
    """Run each recording f32[n] at 16 kHz through a channel of its own, with a progress bar."""
    return asyncio.run(_listen_all(bundle, track(recordings, f"Hearing {what}", transient=True)))


class _Listener(DirectRunner):
    """Runs a channel's steps, and keeps what the encoder says of them."""

    def __init__(self) -> None:
        self.steps: list[ActiveStep] = []
        self.outputs: list[float] = []

    async def encode(self, lane: Lane, step: ActiveStep) -> NDArray[np.float32]:
        statistics = await super().encode(lane, step)
        self.steps.append(ActiveStep(step.index, _NO_SAMPLES, step.mask, step.first))
        self.outputs.append(float(statistics[-1]))
        return statistics


async def _listen_all(bundle: Bundle, recordings: Iterable[Samples]) -> list[Listened]:
    return [await _listen(bundle, samples) for samples in recordings]


async def _listen(bundle: Bundle, samples: Samples) -> Listened:
    listener = _Listener()
    channel = Channel(ChannelSettings(0, Role.UNKNOWN, SAMPLE_RATE, 30, 5, frozenset()), bundle, listener)
    await channel.push(samples)
    await channel.end()
    return Listened(len(samples) / SAMPLE_RATE, channel.speech, listener.steps, listener.outputs)
