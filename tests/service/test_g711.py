"""G.711 both ways, against libsndfile."""

import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from undertone_service.dsp.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode

CODES = np.arange(256, dtype=np.uint8)
DECODE = {"ULAW": mulaw_decode, "ALAW": alaw_decode}
ENCODE = {"ULAW": mulaw_encode, "ALAW": alaw_encode}


def by_libsndfile(codes: NDArray[np.uint8], law: str) -> NDArray[np.int16]:
    file = io.BytesIO(codes.tobytes())
    samples, _ = soundfile.read(file, samplerate=8000, channels=1, format="RAW", subtype=law, dtype="int16")
    return np.asarray(samples)


@pytest.mark.parametrize("law", DECODE)
def test_every_byte_decodes_as_in_libsndfile(law: str) -> None:
    np.testing.assert_array_equal(DECODE[law](CODES), by_libsndfile(CODES, law))


@pytest.mark.parametrize("law", DECODE)
def test_every_byte_survives_a_round_trip(law: str) -> None:
    again = ENCODE[law](DECODE[law](CODES))
    np.testing.assert_array_equal(DECODE[law](again), DECODE[law](CODES))
    expected = CODES.copy()
    if law == "ULAW":
        expected[0x7F] = 0xFF  # negative zero
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("law", DECODE)
def test_every_sample_is_encoded_as_the_nearest_level(law: str) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    levels = np.unique(DECODE[law](CODES).astype(np.int32))
    after = np.clip(np.searchsorted(levels, samples), 1, len(levels) - 1)
    nearest = np.minimum(np.abs(levels[after] - samples), np.abs(levels[after - 1] - samples))
    error = np.abs(DECODE[law](ENCODE[law](samples)).astype(np.int32) - samples)
    np.testing.assert_array_equal(error, nearest)


def test_known_values_of_the_standard() -> None:
    assert mulaw_decode(np.array([0x00, 0x80, 0xFF], np.uint8)).tolist() == [-32124, 32124, 0]
    assert alaw_decode(np.array([0x2A, 0xAA, 0x55, 0xD5], np.uint8)).tolist() == [-32256, 32256, -8, 8]
    assert mulaw_encode(np.zeros(1, np.int16)).tolist() == [0xFF]
