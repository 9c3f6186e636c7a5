"""Small synthetic voices: no recording of anybody, and enough of a voice for WebRTC VAD and the gate."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

SAMPLE_RATE = 16000
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


def voice(
    seconds: float, *, pitch: float = 120.0, seed: int = 0, rate: int = SAMPLE_RATE
) -> NDArray[np.float32]:
    """Return a voice f32[n]: a glottal pulse train through formants that move from vowel to vowel, with syllables."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    time = np.arange(count) / rate
    melody = pitch * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time + seed) + 0.02 * np.sin(2 * np.pi * 5 * time))
    phase = np.cumsum(melody) / rate
    source = np.diff(np.floor(phase), prepend=0) + 0.02 * random.standard_normal(count)
    speech = np.zeros(count)
    syllable = rate // 4
    for start in range(0, count, syllable):
        part = source[start : start + syllable]
        for formant in _VOWELS[random.integers(len(_VOWELS))]:
            angle, radius = 2 * np.pi * formant * (1 + 0.02 * seed) / rate, np.exp(-np.pi * 90 / rate)
            part = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], part)
        speech[start : start + syllable] += part
    envelope = 0.35 + 0.65 * np.abs(np.sin(np.pi * 4 * time / 2))
    speech *= envelope
    return np.asarray(0.3 * speech / (np.abs(speech).max() + 1e-9), dtype=np.float32)


def silence(seconds: float, *, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Return f32[n] of near silence."""
    random = np.random.default_rng(1)
    return np.asarray(1e-5 * random.standard_normal(round(seconds * rate)), dtype=np.float32)


def conversation(*, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Return 8.5 s: a low voice, a pause, a high voice, a pause, the low voice again."""
    parts = [
        silence(0.55, rate=rate),
        voice(2.33, pitch=110, seed=1, rate=rate),
        silence(1.01, rate=rate),
        voice(2.02, pitch=210, seed=2, rate=rate),
        silence(0.9, rate=rate),
        voice(1.05, pitch=110, seed=1, rate=rate),
        silence(0.7, rate=rate),
    ]
    return np.concatenate(parts)
