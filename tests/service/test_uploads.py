"""Uploaded recordings: what is read, and how each bad one is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.rest_fixtures import file_of, tone
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.web.uploads import decode

SPEECH = tone(300.0, 1.0)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_the_promised_kinds_are_read(kind: str) -> None:
    upload = decode(file_of(SPEECH, kind=kind), 60.0)
    assert upload.sample_rate == 16000
    assert upload.samples.dtype == np.float32
    assert upload.samples.shape[1] == 1
    assert upload.samples.shape[0] == pytest.approx(16000, abs=2400)  # MP3 pads
    assert np.abs(upload.samples).max() == pytest.approx(0.3, abs=0.05)


def test_both_channels_are_kept_and_overshoot_is_cut() -> None:
    upload = decode(file_of(np.stack([SPEECH, 5 * SPEECH], axis=1), subtype="FLOAT"), 60.0)
    np.testing.assert_allclose(upload.channel(0), SPEECH, atol=1e-6)
    assert upload.channel(1).max() == 1.0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ErrorCode.BAD_AUDIO),
        (b"just some text in a file named speech.wav\n" * 50, ErrorCode.BAD_AUDIO),
        (b"RIFF\x00\x00\x00\x00WAVE", ErrorCode.BAD_AUDIO),
        (file_of(SPEECH)[:20], ErrorCode.BAD_AUDIO),
        (file_of(SPEECH[:0]), ErrorCode.BAD_AUDIO),
        (file_of(np.where(np.arange(16000) == 9000, np.nan, SPEECH), subtype="FLOAT"), ErrorCode.BAD_AUDIO),
        (file_of(np.where(np.arange(16000) == 9000, np.inf, SPEECH), subtype="FLOAT"), ErrorCode.BAD_AUDIO),
        (file_of(SPEECH, kind="AIFF"), ErrorCode.UNSUPPORTED_AUDIO),
        (file_of(SPEECH, 96000), ErrorCode.UNSUPPORTED_AUDIO),
        (file_of(SPEECH, 4000), ErrorCode.UNSUPPORTED_AUDIO),
        (file_of(np.stack([SPEECH] * 3, axis=1)), ErrorCode.UNSUPPORTED_AUDIO),
        (file_of(tone(300.0, 2.1)), ErrorCode.TOO_LARGE),
        (file_of(np.zeros(16000 * 60, np.float32), kind="FLAC"), ErrorCode.TOO_LARGE),
    ],
    ids=lambda value: value if isinstance(value, ErrorCode) else "",
)
def test_bad_recordings_are_refused_with_a_remedy(content: bytes, code: ErrorCode) -> None:
    with pytest.raises(UndertoneError) as refusal:
        decode(content, 2.0)
    assert refusal.value.code is code
    assert refusal.value.remedy.startswith("Send ")


@given(st.binary(max_size=400), st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]), st.integers(0, 2000))
def test_damage_is_a_typed_refusal_or_finite_audio(damage: bytes, kind: str, where: int) -> None:
    content = bytearray(FILES[kind])
    content[where : where + len(damage)] = damage
    try:
        upload = decode(bytes(content), 60.0)
    except UndertoneError as error:
        refused = error.code
    else:
        refused = None
        assert np.isfinite(upload.samples).all()
    assert refused in (None, ErrorCode.BAD_AUDIO, ErrorCode.UNSUPPORTED_AUDIO, ErrorCode.TOO_LARGE)


FILES = {kind: file_of(SPEECH, kind=kind) for kind in ("WAV", "FLAC", "OGG", "MP3")}
