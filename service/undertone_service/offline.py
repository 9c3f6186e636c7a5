"""Whole recordings through the session code: what REST and evaluation need of one file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.sums import SpeechSum
from undertone_service.bundle.library import BundleLibrary
from undertone_service.bundle.streaming import Bundle
from undertone_service.dsp import SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.quality import bandwidth_hz, clipped, level_db, snr_db
from undertone_service.dsp.resample import Resampler
from undertone_service.dsp.speech import active_steps
from undertone_service.engine import Lane, Runner
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.messages import UtteranceResult
from undertone_service.protocol.rest import Analysis

_WINDOW, _HOP = 30, 10  # steps; looked at each second, for changes of speaker


@dataclass(frozen=True, slots=True)
class VoiceSample:
    """A voice as heard in one mono recording.

    ``voiceprint`` f32[V], L2-normalised, None where no speech was found; ``speech`` net seconds;
    ``clipped`` part of the samples at full scale, 0 to 1.
    """

    voiceprint: NDArray[np.float32] | None
    speech: float
    level_db: float
    snr_db: float | None
    clipped: float
    bandwidth_hz: int


class OfflineAnalyzer:
    """Runs recordings through bundles; ``runner`` is the engine in a server, a ``DirectRunner`` elsewhere."""

    def __init__(self, runner: Runner, bundles: BundleLibrary) -> None:
        self._runner = runner
        self._bundles = bundles

    async def voice(self, samples: NDArray[np.float32], sample_rate: int, bundle: str | None) -> VoiceSample:
        """Take the voiceprint of a mono recording f32[n], and measure how good the recording is."""
        chosen = self._bundles.get(bundle)
        total, mask = await encode_recording(chosen, self._runner, samples, sample_rate)
        outputs = (await self._runner.answer(chosen, total.statistics[None]))[0] if total.speech else None
        return VoiceSample(
            voiceprint=outputs.voiceprint if outputs else None,
            speech=total.speech,
            level_db=level_db(samples),
            snr_db=snr_db(samples, mask, sample_rate),
            clipped=clipped(samples),
            bandwidth_hz=bandwidth_hz(samples, sample_rate),
        )

    async def analyze(
        self, samples: NDArray[np.float32], sample_rate: int, *, roles: Sequence[Role], bundle: str | None
    ) -> Analysis:
        """Analyse a recording f32[n, channels] as a live session would."""
        chosen = self._bundles.get(bundle)
        channels = []
        utterances: list[UtteranceResult] = []
        for index in range(samples.shape[1]):
            role = roles[index] if roles else Role.UNKNOWN
            settings = ChannelSettings(index, role, sample_rate, _WINDOW, _HOP, frozenset(Task))
            channel = Channel(settings, chosen, self._runner)
            messages = [*await channel.push(samples[:, index]), *await channel.end()]
            utterances += [m for _, m in messages if isinstance(m, UtteranceResult)]
            channels.append(channel)
        speech = sum(channel.speech for channel in channels)
        return Analysis(
            duration=round(len(samples) / sample_rate, 3),
            sample_rate=sample_rate,
            channels=tuple([await channel.summary(speech) for channel in channels]),
            utterances=tuple(sorted(utterances, key=lambda u: (u.start, u.channel))),
            bundle=chosen.manifest.name,
            digest=chosen.manifest.digest,
        )


async def encode_recording(
    bundle: Bundle, runner: Runner, samples: NDArray[np.float32], sample_rate: int
) -> tuple[SpeechSum, NDArray[np.float32]]:
    """Sum a mono recording f32[n] over its speech; also return where speech is, f32[20 ms frames]."""
    manifest = bundle.manifest
    converter = Resampler(sample_rate, SAMPLE_RATE)
    heard = np.concatenate([converter.push(samples), converter.flush()])
    total = SpeechSum(manifest.statistics_size)
    mask = np.zeros((len(heard) // STEP_SAMPLES + 1, manifest.step_frames), np.float32)
    lane = Lane(bundle)
    confirmation = SpeechConfirmation(manifest)
    for step in active_steps(heard):
        for counted in confirmation.push(step, await runner.encode(lane, step)):
            total.add(counted.statistics, counted.speech)
            mask[counted.index] = 1
    return total, mask.ravel()
