"""Another room, microphone, line and level for every crop, so that the voice is all that stays.

All on numpy f32[n] at 16 kHz, with a generator passed in. The telephone band goes through the very resampler and
G.711 that serving uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from undertone_service.dsp import SAMPLE_RATE
from undertone_service.dsp.g711 import mulaw_decode, mulaw_encode
from undertone_service.dsp.resample import resample

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentSettings:
    """How often each disturbance happens (0 to 1) and how strong it is at most."""

    clean: float = 0.35
    """Part of the crops that change in level alone; of those with an emotion, ``emotional_clean``."""
    emotional_clean: float = 0.6
    equalise: float = 0.4
    equalise_db: float = 8.0
    reverb: float = 0.15
    noise: float = 0.35
    noise_snr_db: tuple[float, float] = (3.0, 25.0)
    babble: float = 0.25
    """Part of the added noises that are other people's voices."""
    telephone: float = 0.2
    speed: float = 0.3
    """Part of the crops with an emotion that are played faster or slower, by up to ``speed_change``."""
    speed_change: float = 0.08
    gain_db: tuple[float, float] = (-25.0, 6.0)
    masked_bands: int = 8
    masked_frames: int = 10
    """The longest stretches of the spectrum that are hidden, in mel bands and in frames of 10 ms."""


class Augmenter:
    """Disturbs crops with noises and room responses of the training split."""

    def __init__(
        self, settings: AugmentSettings, noises: Sequence[Samples], responses: Sequence[Samples]
    ) -> None:
        self._settings = settings
        self._noises = noises
        self._responses = responses

    def change_speed(self, samples: Samples, random: np.random.Generator) -> tuple[Samples, bool]:
        """Return f32[m] played at another speed, pitch and all, and whether it was."""
        if random.random() >= self._settings.speed:
            return samples, False
        factor = 1 + random.uniform(-1, 1) * self._settings.speed_change
        return soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="LQ"), True

    def __call__(
        self, samples: Samples, babble: Samples, random: np.random.Generator, *, emotional: bool = False
    ) -> Samples:
        """Return f32[n] as if recorded elsewhere; ``babble`` f32[any] is another person's speech."""
        settings = self._settings
        if random.random() < (settings.emotional_clean if emotional else settings.clean):
            return self._at_random_level(samples, random)
        if random.random() < settings.equalise:
            samples = equalise(samples, settings.equalise_db, random)
        if self._responses and random.random() < settings.reverb:
            samples = reverberate(samples, self._responses[int(random.integers(len(self._responses)))])
        if random.random() < settings.noise:
            samples = add_noise(samples, self._noise(len(samples), babble, random), self._snr(random))
        if random.random() < settings.telephone:
            samples = telephone(at_level(samples, float(random.uniform(-35, -15))))
        return self._at_random_level(samples, random)

    def _at_random_level(self, samples: Samples, random: np.random.Generator) -> Samples:
        return np.clip(at_level(samples, -20.0 + float(random.uniform(*self._settings.gain_db))), -1, 1)

    def _snr(self, random: np.random.Generator) -> float:
        return float(random.uniform(*self._settings.noise_snr_db))

    def _noise(self, length: int, babble: Samples, random: np.random.Generator) -> Samples:
        if not self._noises or random.random() < self._settings.babble:
            return cut(babble, length, random)
        return cut(self._noises[int(random.integers(len(self._noises)))], length, random)


def cut(samples: Samples, length: int, random: np.random.Generator) -> Samples:
    """Return a random stretch f32[length], the recording repeated where it is too short."""
    if len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))
    start = random.integers(len(samples) - length + 1)
    return samples[start : start + length]


def at_level(samples: Samples, level_db: float) -> Samples:
    """Scale to a root mean square of ``level_db`` dB of full scale; silence stays."""
    level = float(np.sqrt(np.mean(samples**2)))
    return samples if level < 1e-7 else samples * np.float32(10 ** (level_db / 20) / level)


def equalise(samples: Samples, strongest_db: float, random: np.random.Generator) -> Samples:
    """Colour the spectrum by a smooth random curve of up to ± ``strongest_db``."""
    size = 1 << (len(samples) - 1).bit_length()
    frequencies = np.linspace(0, 1, size // 2 + 1, dtype=np.float32) ** 0.5
    corners = np.sort(random.random(6))
    gain_db = np.interp(frequencies, corners, random.uniform(-strongest_db, strongest_db, 6))
    spectrum = np.fft.rfft(samples, size) * (10 ** (gain_db / 20)).astype(np.float32)
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def reverberate(samples: Samples, response: Samples) -> Samples:
    """Put the voice into a room; the direct sound stays where it was."""
    start = int(np.argmax(np.abs(response)))
    wet = oaconvolve(samples, response[start : start + SAMPLE_RATE])[: len(samples)]
    return np.asarray(wet, dtype=np.float32)


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Mix noise f32[n] in at a ratio of powers over the whole crop, in dB."""
    power, noise_power = float(np.mean(samples**2)), float(np.mean(noise**2))
    if noise_power < 1e-12:
        return samples
    return samples + noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def telephone(samples: Samples) -> Samples:
    """Send through a telephone line: 8 kHz, µ-law, and back."""
    narrow = np.clip(resample(samples, SAMPLE_RATE, SAMPLE_RATE // 2), -1, 1)
    coded = mulaw_encode(np.rint(narrow * 32767).astype(np.int16))
    line = mulaw_decode(coded).astype(np.float32) / np.float32(32768)
    return resample(line, SAMPLE_RATE // 2, SAMPLE_RATE)[: len(samples)]
