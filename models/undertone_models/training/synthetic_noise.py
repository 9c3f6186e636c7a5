"""Sounds that WebRTC VAD takes for speech and that are none: tones of the telephone, music, white noise."""

import numpy as np
from numpy.typing import NDArray

from undertone_service.dsp import SAMPLE_RATE

Samples = NDArray[np.float32]

_DTMF_ROWS, _DTMF_COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)


def synthetic_noise(seconds: float, random: np.random.Generator) -> Samples:
    """Return one random such sound, f32[n] at 16 kHz, peak about 0.5."""
    makers = (dtmf, ringback, music, white_noise, fax)
    return makers[random.integers(len(makers))](seconds, random)


def dtmf(seconds: float, random: np.random.Generator) -> Samples:
    """Keys pressed on a telephone: two tones each, with gaps."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    period = random.uniform(0.12, 0.4)
    key = (time / period).astype(int)
    rows = random.choice(_DTMF_ROWS, key.max(initial=0) + 1)[key]
    columns = random.choice(_DTMF_COLUMNS, key.max(initial=0) + 1)[key]
    sounding = time % period < random.uniform(0.4, 0.9) * period
    wave = np.sin(2 * np.pi * rows * time) + np.sin(2 * np.pi * columns * time)
    return np.asarray(0.25 * sounding * wave, dtype=np.float32)


def ringback(seconds: float, random: np.random.Generator) -> Samples:
    """Ringing or busy tones of several countries."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE + random.uniform(0, 4)
    tones = [(440, 480), (425,), (400, 450), (480, 620), (350, 440)][random.integers(5)]
    on, off = [(2.0, 4.0), (1.0, 4.0), (0.4, 0.2), (0.5, 0.5), (9.0, 0.0)][random.integers(5)]
    sounding = time % (on + off) < on
    wave = sum(np.sin(2 * np.pi * f * time) for f in tones)
    return np.asarray(0.4 / len(tones) * sounding * wave, dtype=np.float32)


def music(seconds: float, random: np.random.Generator) -> Samples:
    """Hold music: chords of plucked or held notes with harmonics, vibrato and a melody."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.zeros(len(time))
    beat = random.uniform(0.2, 0.8)
    decay = random.choice([0.5, 2.0, 6.0])
    for voice in range(random.integers(1, 4)):
        notes = 110 * 2 ** (
            random.choice([0, 2, 4, 5, 7, 9, 11, 12, 16, 19, 24], int(seconds / beat) + 2) / 12
        )
        index = (time / beat).astype(int)
        vibrato = 1 + random.choice([0.0, 0.004]) * np.sin(2 * np.pi * 5.5 * time)
        phase = 2 * np.pi * np.cumsum(notes[index] * (1 + voice) * vibrato) / SAMPLE_RATE
        envelope = np.exp(-decay * (time % beat) / beat)
        for harmonic in range(1, random.integers(2, 9)):
            wave += envelope * np.sin(harmonic * phase) / harmonic ** random.uniform(0.8, 2)
    return np.asarray(0.5 * wave / (np.abs(wave).max() + 1e-9), dtype=np.float32)


def white_noise(seconds: float, random: np.random.Generator) -> Samples:
    """White or coloured noise, steady or swelling."""
    count = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum *= (np.arange(len(spectrum)) + 20.0) ** -random.uniform(0, 1)
    wave = np.fft.irfft(spectrum, count)
    wave *= 1 + random.uniform(0, 0.8) * np.sin(
        2 * np.pi * random.uniform(0.2, 6) * np.arange(count) / SAMPLE_RATE
    )
    return np.asarray(0.5 * wave / (np.abs(wave).max() + 1e-9), dtype=np.float32)


def fax(seconds: float, random: np.random.Generator) -> Samples:
    """Single tones and warbles of fax machines and modems."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = random.choice([1100.0, 2100.0, 1300.0, 1000.0, 1800.0, random.uniform(200, 3000)])
    warble = random.choice([0.0, 50.0, 200.0]) * np.sign(np.sin(2 * np.pi * random.uniform(5, 75) * time))
    return np.asarray(0.4 * np.sin(2 * np.pi * np.cumsum(frequency + warble) / SAMPLE_RATE), dtype=np.float32)
