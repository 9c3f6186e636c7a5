"""Whole recordings through the session code: what REST and evaluation need of one file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.hearing import hearing
from undertone_service.analysis.sums import SpeechSum, Window
from undertone_service.analysis.verification import check_voiceprints
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.library import BundleLibrary
from undertone_service.dsp import FRAMES_PER_STEP, SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.quality import bandwidth_hz, clipped, level_db, snr_db
from undertone_service.dsp.resample import Resampler
from undertone_service.dsp.speech import SpeechDetector
from undertone_service.engine import Runner
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
        """Take the voiceprint of a mono recording f32[n], and measure how good the recording is.

        Raises:
            UndertoneError: ``unknown_bundle``, or ``bad_request`` for one that takes no voiceprints.
        """
        chosen = self._bundles.get(bundle)
        check_voiceprints(chosen.manifest)
        total, mask = await encode_recording(chosen, self._runner, samples, sample_rate)
        outputs = None
        if chosen.answerable(total.statistics):
            outputs = (await self._runner.answer(chosen, total.statistics[None]))[0]
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
        window = chosen.fixed_window or _WINDOW
        channels = []
        utterances: list[UtteranceResult] = []
        for index in range(samples.shape[1]):
            role = roles[index] if roles else Role.UNKNOWN
            settings = ChannelSettings(index, role, sample_rate, window, min(_HOP, window), frozenset(Task))
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
    converter = Resampler(sample_rate, SAMPLE_RATE)
    heard = np.concatenate([converter.push(samples), converter.flush()])
    heard = np.pad(heard, (0, -len(heard) % STEP_SAMPLES))
    total = SpeechSum(bundle.statistics_size)
    mask = np.zeros((len(heard) // STEP_SAMPLES, FRAMES_PER_STEP), np.float32)
    ear, detector = hearing(bundle, runner), SpeechDetector()
    confirmation, window = SpeechConfirmation(bundle.manifest), Window(bundle.fixed_window or _WINDOW)
    for start in range(0, len(heard), STEP_SAMPLES):
        ear.pass_by(heard[start : start + STEP_SAMPLES])
        for step in detector.push(heard[start : start + STEP_SAMPLES]):
            for active in step.active:
                for counted in confirmation.push(active, await ear.encode(active)):
                    total.add(counted.statistics, counted.speech)
                    window.add(counted)
                    mask[counted.index] = 1
            window.expire(step.index + 1)
            if (step.index + 1) % _HOP == 0 or step.index + 1 == len(mask):
                look = await ear.look(step.index + 1, window.speech)
                if look is not None:
                    total.add(look, 0.0)
    return total, mask.ravel()
