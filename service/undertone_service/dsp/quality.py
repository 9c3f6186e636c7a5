"""How good a recording is: level, clipping, signal-to-noise ratio, bandwidth."""

import numpy as np
from numpy.typing import NDArray

_FULL_SCALE = 0.999
_BANDS_HZ = (4000, 8000)
_EMPTY_DB = -45.0  # a band that much weaker than the one below holds no voice
_LEAST_NOISE_FRAMES = 10


def level_db(samples: NDArray[np.float32]) -> float:
    """Return the level of f32[n], root mean square in dB of full scale; -120 for silence."""
    power = float(np.mean(samples.astype(np.float64) ** 2)) if len(samples) else 0.0
    return round(10 * float(np.log10(max(power, 1e-12))), 1)


def clipped(samples: NDArray[np.float32]) -> float:
    """Return the part of f32[n] that lies at full scale, 0 to 1."""
    return float(np.mean(np.abs(samples) >= _FULL_SCALE)) if len(samples) else 0.0


def snr_db(samples: NDArray[np.float32], speech: NDArray[np.float32], sample_rate: int) -> float | None:
    """Return speech over noise in dB, from the frames with and without speech; None with too few of either.

    ``samples`` f32[n]; ``speech`` f32[20 ms frames], 1 where there is speech.
    """
    size = sample_rate // 50
    count = min(len(samples) // size, len(speech))
    power = (samples[: count * size].reshape(count, size).astype(np.float64) ** 2).mean(axis=1)
    inside = speech[:count] > 0
    if not inside.any() or (~inside).sum() < _LEAST_NOISE_FRAMES:
        return None
    noise = max(float(power[~inside].mean()), 1e-12)
    return round(10 * float(np.log10(max(power[inside].mean() - noise, 1e-12) / noise)), 1)


def bandwidth_hz(samples: NDArray[np.float32], sample_rate: int) -> int:
    """Return 4000 or 8000: whether the voice f32[n] reaches beyond the telephone band."""
    narrow, wide = _BANDS_HZ
    if sample_rate <= 2 * narrow or len(samples) < 1024:
        return narrow
    frames = samples[: len(samples) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    spectrum = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(axis=0)
    frequencies = np.fft.rfftfreq(1024, 1 / sample_rate)
    low = spectrum[(frequencies > 300) & (frequencies < 3400)].mean()
    above = (frequencies > 4500) & (frequencies < 7500)
    if not above.any():
        return narrow
    high = spectrum[above].mean()
    return wide if 10 * np.log10(max(high, 1e-20) / max(low, 1e-20)) > _EMPTY_DB else narrow
