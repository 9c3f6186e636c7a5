"""Bytes from the wire to samples in [-1, 1], however the bytes were cut into messages."""

import numpy as np
from numpy.typing import NDArray

from undertone_service.dsp.g711 import alaw_decode, mulaw_decode
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import AudioFormat, Encoding

_FULL_SCALE = np.float32(32768)


class Decoder:
    """Turns interleaved bytes into samples; a part of a sample waits for the next push."""

    def __init__(self, audio: AudioFormat) -> None:
        self._encoding = audio.encoding
        self._channels = audio.channels
        self._frame_bytes = audio.encoding.bytes_per_sample * audio.channels
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes of an incomplete sample that still wait."""
        return len(self._rest)

    def push(self, data: bytes) -> NDArray[np.float32]:
        """Decode bytes to f32[n, channels]; n may be 0.

        Raises:
            UndertoneError: ``bad_audio`` where 32-bit floats are NaN or infinite, or beyond ± 8.
        """
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        return self._decode(data[:whole]).reshape(-1, self._channels)

    def _decode(self, data: bytes) -> NDArray[np.float32]:
        if self._encoding is Encoding.F32LE:
            return checked(np.frombuffer(data, "<f4").astype(np.float32))
        if self._encoding is Encoding.S16LE:
            samples = np.frombuffer(data, "<i2")
        else:
            codes = np.frombuffer(data, np.uint8)
            samples = mulaw_decode(codes) if self._encoding is Encoding.MULAW else alaw_decode(codes)
        return samples.astype(np.float32) / _FULL_SCALE


def checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float samples clipped to [-1, 1]; refuse what cannot be audio on that scale.

    Raises:
        UndertoneError: ``bad_audio`` for NaN, infinities, or values beyond ± 8.
    """
    if samples.size and not np.abs(samples).max() <= 8.0:
        raise UndertoneError(
            ErrorCode.BAD_AUDIO,
            "Float samples hold NaN, infinities or values far beyond ± 1.",
            "Send finite samples in [-1, 1], little-endian 32-bit floats.",
        )
    return np.clip(samples, -1.0, 1.0)
