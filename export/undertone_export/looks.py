"""What a live session would see of a voice, look after look: the session code itself, with the claim left open.

A channel runs once a recording; each look's voiceprint is kept, and any number of claims are decided on it afterwards
by the very ``Verifier`` that serves.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.verification import Verifier
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Manifest
from undertone_service.engine import DirectRunner
from undertone_service.protocol.labels import Decision, Role, Task
from undertone_service.protocol.messages import Speaker

_WINDOW, _HOP, _RATE = 30, 5, 16000
_CHUNK = _RATE * _HOP // 10


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a channel: seconds of audio, net seconds of the voice and of the whole session.

    ``voiceprint`` f32[V] is None where a change of voice is told: the net seconds of the voice then begin anew.
    """

    time: float
    speech: float
    heard: float
    voiceprint: NDArray[np.float32] | None


@dataclass
class Outcome:
    """How a claim fared: the last decision, whether it was ever accepted or rejected, and seconds to the first.

    ``accepted_at`` is the net seconds of the session at the first acceptance and ``accepted_time`` the seconds of
    audio, ``heard`` the net seconds of all of it.
    """

    final: Decision = Decision.UNDECIDED
    ever: set[Decision] = field(default_factory=set)
    decided_after: float | None = None
    accepted_at: float | None = None
    accepted_time: float | None = None
    heard: float = 0.0

    def accepted_by(self, seconds: float) -> bool:
        """Whether it was accepted at a look within so many net seconds."""
        return self.accepted_at is not None and self.accepted_at <= seconds


class _Witness(Verifier):
    """Stands where a claim's verifier stands, and keeps what it is shown."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__("", np.zeros(manifest.voiceprint_size, np.float32), manifest, 0.5)
        self.looks: list[Look] = []
        self.time = 0.0
        self.channel: Channel | None = None

    def restart(self) -> None:
        super().restart()
        self._see(0.0, None)

    def look(self, voiceprint: NDArray[np.float32], speech: float) -> Speaker:
        self._see(speech, voiceprint)
        return super().look(voiceprint, speech)

    def _see(self, speech: float, voiceprint: NDArray[np.float32] | None) -> None:
        heard = self.channel.speech if self.channel else speech
        self.looks.append(Look(self.time, speech, heard, voiceprint))


def watch(bundle: Bundle, recordings: Iterable[NDArray[np.float32]], total: int) -> list[list[Look]]:
    """Run each recording f32[n] at 16 kHz through a channel; return its looks."""
    return asyncio.run(_watch_all(bundle, track(recordings, "Live sessions", total=total)))


def decide(looks: Sequence[Look], claim: NDArray[np.float32], manifest: Manifest) -> Outcome:
    """Decide a claim f32[V] on a session's looks, as the service would have."""
    verifier = Verifier("claim", claim, manifest, 0.5)
    outcome = Outcome()
    for look in looks:
        outcome.heard = look.heard
        if look.voiceprint is None:
            verifier.restart()
            continue
        outcome.final = verifier.look(look.voiceprint, look.speech).decision
        if outcome.final is not Decision.UNDECIDED:
            outcome.ever.add(outcome.final)
            if outcome.decided_after is None:
                outcome.decided_after = look.time
        if outcome.final is Decision.ACCEPTED and outcome.accepted_at is None:
            outcome.accepted_at, outcome.accepted_time = look.heard, look.time
    return outcome


async def _watch_all(bundle: Bundle, recordings: Iterable[NDArray[np.float32]]) -> list[list[Look]]:
    return [await _watch(bundle, samples) for samples in recordings]


async def _watch(bundle: Bundle, samples: NDArray[np.float32]) -> list[Look]:
    witness = _Witness(bundle.manifest)
    settings = ChannelSettings(0, Role.UNKNOWN, _RATE, _WINDOW, _HOP, frozenset({Task.SPEAKER}))
    channel = Channel(settings, bundle, DirectRunner())
    channel.voice.verifier, witness.channel = witness, channel
    for start in range(0, len(samples), _CHUNK):
        witness.time = min(start + _CHUNK, len(samples)) / _RATE
        await channel.push(samples[start : start + _CHUNK])
    await channel.end()
    await channel.summary(channel.speech)
    return witness.looks
