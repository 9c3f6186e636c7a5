from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from undertone_client.audio.file import FileSource
from undertone_service.protocol.errors import ErrorCode, UndertoneError

RAMP = np.arange(-4000, 4000, dtype=np.int16)


def written(folder: Path, samples: np.ndarray, rate: int, name: str = "a.wav", **how: str) -> Path:
    soundfile.write(folder / name, samples, rate, **how)
    return folder / name


@settings(deadline=None, max_examples=30)
@given(seconds=st.floats(0.001, 2.0))
def test_blocks_of_any_size_hold_the_files_samples(
    tmp_path_factory: pytest.TempPathFactory, seconds: float
) -> None:
    stereo = np.stack([RAMP, -RAMP], axis=1)
    path = written(tmp_path_factory.getbasetemp(), stereo, 8000, subtype="PCM_16")
    with FileSource(path) as source:
        blocks = list(source.blocks(seconds))
        assert (source.sample_rate, source.channels, source.duration) == (8000, 2, 1.0)
    assert all(len(block) <= 4 * max(1, round(seconds * 8000)) for block in blocks)
    np.testing.assert_array_equal(np.frombuffer(b"".join(blocks), "<i2").reshape(-1, 2), stereo)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.flac", {}),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", {}),
        ("f.wav", {"subtype": "FLOAT"}),
        ("u.wav", {"subtype": "ULAW"}),
        ("p.wav", {"subtype": "PCM_24"}),
    ],
)
def test_every_format_sounds_the_same(tmp_path: Path, name: str, how: dict[str, str]) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    with FileSource(written(tmp_path, tone, 48000, name, **how)) as source:
        heard = np.frombuffer(b"".join(source.blocks(0.02)), "<i2") / 32768
    assert source.sample_rate == 48000
    assert len(heard) == pytest.approx(48000, abs=4000)  # mp3 and opus pad
    assert np.std(heard[9600:38400]) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize(("rate", "sent"), [(6000, 8000), (96000, 48000), (44100, 44100)])
def test_rates_that_the_service_does_not_take_are_converted(tmp_path: Path, rate: int, sent: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    with FileSource(written(tmp_path, np.stack([tone, 0 * tone], axis=1), rate)) as source:
        assert (source.sample_rate, source.duration) == (sent, 1.0)
        heard = np.frombuffer(b"".join(source.blocks(0.02)), "<i2").reshape(-1, 2) / 32768
    assert len(heard) == pytest.approx(sent, rel=0.01)
    spectrum = np.abs(np.fft.rfft(heard[:sent, 0]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)
    assert not heard[:, 1].any()


def test_loud_floating_samples_are_clipped_and_not_wrapped(tmp_path: Path) -> None:
    path = written(tmp_path, np.array([1.5, -1.5, 1.0, 0.0]), 8000, subtype="FLOAT")
    with FileSource(path) as source:
        assert np.frombuffer(b"".join(source.blocks(1)), "<i2").tolist() == [32767, -32768, 32767, 0]


def test_files_that_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    many = written(tmp_path, np.zeros((10, 3)), 8000)
    for path, code, reason in [
        (text, ErrorCode.BAD_AUDIO, "cannot be read as audio"),
        (tmp_path / "none.wav", ErrorCode.BAD_AUDIO, "no such file"),
        (tmp_path, ErrorCode.BAD_AUDIO, "cannot be read as audio"),
        (many, ErrorCode.UNSUPPORTED_AUDIO, "3 channels"),
    ]:
        with pytest.raises(UndertoneError, match=reason) as refused:
            FileSource(path)
        assert refused.value.code is code


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    with FileSource(path) as source, pytest.raises(UndertoneError, match="not numbers"):
        list(source.blocks(1))
