"""G.711 µ-law and A-law (ITU-T G.711, 1988): one byte a sample, 8 bits of a logarithmic scale.

Both directions are table look-ups. Decoding gives the 16-bit values of the standard; encoding picks the
byte whose decoded value lies nearest, so a round trip of any byte is exact (µ-law's negative zero aside).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def _mulaw_table() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = (((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code >> 4) & 7)
    magnitude -= 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@cache
def _alaw_table() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 0x0F).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent > 0, (linear + 0x100) << np.maximum(exponent - 1, 0), linear)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the byte for each 16-bit value, indexed by value + 32768."""
    order = np.argsort(table, kind="stable")
    levels = table[order].astype(np.int32)
    boundaries = (levels[1:] + levels[:-1] + 1) // 2
    return order[np.searchsorted(boundaries, np.arange(-32768, 32768), side="right")].astype(np.uint8)


@cache
def _mulaw_codes() -> NDArray[np.uint8]:
    return _nearest(_mulaw_table())


@cache
def _alaw_codes() -> NDArray[np.uint8]:
    return _nearest(_alaw_table())


def mulaw_decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Decode µ-law bytes to 16-bit samples of the same shape."""
    return _mulaw_table()[codes]


def alaw_decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Decode A-law bytes to 16-bit samples of the same shape."""
    return _alaw_table()[codes]


def mulaw_encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Encode 16-bit samples as µ-law bytes of the same shape."""
    return _mulaw_codes()[samples.astype(np.int32) + 32768]


def alaw_encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Encode 16-bit samples as A-law bytes of the same shape."""
    return _alaw_codes()[samples.astype(np.int32) + 32768]
