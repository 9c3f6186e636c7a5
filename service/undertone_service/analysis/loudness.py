"""How far speech stands above the noise of a channel."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Loudness:
    """Mean of |x| over the speech of a stretch, and of the noise floor meanwhile, while one was known."""

    _level: float = 0.0
    _floor: float = 0.0

    def add(self, level: float, floor: float, speech: float) -> None:
        """Add net seconds of speech at a mean of |x|; ``floor`` is that between words, 0 while unknown."""
        if floor:
            self._level += level * speech
            self._floor += floor * speech

    @property
    def snr_db(self) -> float | None:
        """Speech over noise in dB; None while the noise is unknown."""
        return signal_to_noise(self._level, self._floor)


def signal_to_noise(level: float, floor: float) -> float | None:
    """Return the ratio of two means of |x| in dB; None where one of them is 0: unknown."""
    return round(decibels(level) - decibels(floor), 1) if floor and level else None


def decibels(level: float) -> float:
    """Return a mean of |x| in dB of full scale, at least -120."""
    return round(20 * math.log10(max(level, 1e-6)), 1)
