"""Streaming sample-rate conversion by a polyphase FIR (Crochiere and Rabiner, 1983, chapter 4).

Every output sample is one inner product of recent input with one phase of a Kaiser-windowed sinc, so that
results do not depend on how the input was cut, and the delay is half the filter: 16 zero crossings of the
lower rate, 2 ms from 8 kHz. (A streaming soxr at its HQ setting holds 8 kHz audio back by up to 115 ms.)
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

_ZERO_CROSSINGS = 16
_KAISER_BETA = 8.0  # stop band about 80 dB down
_ROLLOFF = 0.94  # middle of the transition band, as a part of the lower Nyquist frequency
_FEW_PHASES = 4


@lru_cache(maxsize=64)
def _phases(up: int, down: int) -> NDArray[np.float32]:
    """Return the filter bank f32[up, taps]: row p holds the taps, newest input last, of output phase p."""
    cutoff = min(1.0, up / down) * _ROLLOFF
    half = int(np.ceil(_ZERO_CROSSINGS / min(1.0, up / down)))
    taps = 2 * half
    # Output at fractional position p/up after input sample `half - 1` of the row's `taps` inputs.
    offset = np.arange(taps)[None, :] - (half - 1) - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offset / half) ** 2, 0, 1))) / np.i0(_KAISER_BETA)
    bank = cutoff * np.sinc(cutoff * offset) * window
    return np.asarray(bank / bank.sum(axis=1, keepdims=True), dtype=np.float32)


class Resampler:
    """Converts one channel from one rate to another; both in samples a second."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        divisor = gcd(source_rate, target_rate)
        self._up, self._down = target_rate // divisor, source_rate // divisor
        self._bank = _phases(self._up, self._down) if self._up != self._down else None
        taps = 0 if self._bank is None else self._bank.shape[1]
        self._buffer = np.zeros(max(taps // 2 - 1, 0), np.float32)
        self._position = 0  # of the next output, in 1/up input samples from the buffer's start
        self.delay = taps / 2 / source_rate
        """Seconds by which the output trails the input."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert f32[n] and return all outputs that are complete, f32[m]."""
        if self._bank is None:
            return samples
        self._buffer = np.concatenate([self._buffer, samples])
        ready = len(self._buffer) - self._bank.shape[1] + 1  # windows that can start at 0 .. ready - 1
        if ready <= 0:
            return np.zeros(0, np.float32)
        count = max(0, -(-(ready * self._up - self._position) // self._down))
        positions = self._position + np.arange(count, dtype=np.int64) * self._down
        starts, phases = np.divmod(positions, self._up)
        output = self._correlate(starts, phases) if self._up <= _FEW_PHASES else self._gather(starts, phases)
        self._advance(int(self._position + count * self._down))
        return output

    def flush(self) -> NDArray[np.float32]:
        """Return what the filter still holds back, as if zeros followed, f32[m]. The stream ends with it."""
        if self._bank is None:
            return np.zeros(0, np.float32)
        return self.push(np.zeros(self._bank.shape[1] // 2, np.float32))

    def _correlate(self, starts: NDArray[np.int64], phases: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run each phase over all input and pick: quickest for the few phases of the usual rates."""
        assert self._bank is not None
        everywhere = np.stack([np.correlate(self._buffer, taps, "valid") for taps in self._bank])
        return np.asarray(everywhere[phases, starts], dtype=np.float32)

    def _gather(self, starts: NDArray[np.int64], phases: NDArray[np.int64]) -> NDArray[np.float32]:
        """One inner product for each output: for rates such as 44.1 kHz, with 160 phases."""
        assert self._bank is not None
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, self._bank.shape[1])
        return np.asarray(np.einsum("nt,nt->n", windows[starts], self._bank[phases]), dtype=np.float32)

    def _advance(self, position: int) -> None:
        """Drop input that no later output needs."""
        used = min(position // self._up, len(self._buffer))
        self._buffer = self._buffer[used:]
        self._position = position - used * self._up


def resample(samples: NDArray[np.float32], source_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Convert a whole recording f32[n] as a stream would, its tail flushed."""
    converter = Resampler(source_rate, target_rate)
    return np.concatenate([converter.push(samples), converter.flush()])
