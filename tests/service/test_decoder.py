"""Bytes to samples, however they were cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertone_service.dsp.decoder import Decoder, checked
from undertone_service.dsp.g711 import alaw_encode, mulaw_encode
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import AudioFormat, Encoding

TOLERANCE = {Encoding.S16LE: 1 / 65536, Encoding.F32LE: 0.0, Encoding.MULAW: 0.017, Encoding.ALAW: 0.016}


def encoded(samples: NDArray[np.float32], encoding: Encoding) -> bytes:
    """Write samples f32[n, channels] in an encoding."""
    if encoding is Encoding.F32LE:
        return samples.astype("<f4").tobytes()
    whole = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    if encoding is Encoding.S16LE:
        return whole.astype("<i2").tobytes()
    return (mulaw_encode if encoding is Encoding.MULAW else alaw_encode)(whole).tobytes()


def sound(channels: int, count: int = 400) -> NDArray[np.float32]:
    random = np.random.default_rng(channels)
    return np.asarray(random.uniform(-0.95, 0.95, (count, channels)), dtype=np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("encoding", Encoding)
def test_each_encoding_round_trips(encoding: Encoding, channels: int) -> None:
    samples = sound(channels)
    decoder = Decoder(AudioFormat(encoding=encoding, channels=channels))
    decoded = decoder.push(encoded(samples, encoding))
    assert decoded.shape == samples.shape
    assert decoded.dtype == np.float32
    assert np.abs(decoded - samples).max() <= TOLERANCE[encoding]
    assert decoder.pending == 0


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(list(Encoding)),
    st.sampled_from([1, 2]),
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
)
def test_cutting_changes_nothing(encoding: Encoding, channels: int, sizes: list[int]) -> None:
    audio = AudioFormat(encoding=encoding, channels=channels)
    data = encoded(sound(channels, 60), encoding)
    decoder, pieces, position, turn = Decoder(audio), [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)] if any(sizes) else 1
        pieces.append(decoder.push(data[position : position + size]))
        position, turn = position + size, turn + 1
    np.testing.assert_array_equal(np.concatenate(pieces), Decoder(audio).push(data))


def test_a_part_of_a_sample_waits() -> None:
    decoder = Decoder(AudioFormat(channels=2))
    assert decoder.push(b"\x00\x40\x00").shape == (0, 2)
    assert decoder.pending == 3
    np.testing.assert_array_equal(decoder.push(b"\xc0\x00"), [[0.5, -0.5]])
    assert decoder.pending == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 8.5, -1e30])
def test_what_cannot_be_audio_is_refused(value: float) -> None:
    data = np.array([0.1, value, 0.2], "<f4").tobytes()
    with pytest.raises(UndertoneError) as refused:
        Decoder(AudioFormat(encoding=Encoding.F32LE)).push(data)
    assert refused.value.code is ErrorCode.BAD_AUDIO


def test_floats_a_little_too_loud_are_clipped() -> None:
    clipped = checked(np.array([-1.5, -0.25, 7.9], np.float32))
    np.testing.assert_array_equal(clipped, np.array([-1, -0.25, 1], np.float32))
