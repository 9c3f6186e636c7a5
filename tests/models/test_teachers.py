"""A teacher in a process of its own: its answers, its end, and what is kept of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.small_corpus import cache_in, write_clips
from tests.voices import voice
from undertone_models.data.audio import AudioCache
from undertone_models.teachers.pretrained import SIZE, resemblyzer_voiceprints
from undertone_models.teachers.voices import TaughtVoices, teach
from undertone_service.protocol.errors import ErrorCode, UndertoneError

PEER = Path(".venv-peer/bin/python")
needs_peer = pytest.mark.skipif(not PEER.exists(), reason="no environment with resemblyzer: run `make peer`")


def test_an_interpreter_without_the_package_is_a_typed_error() -> None:
    with pytest.raises(UndertoneError) as refused:
        list(resemblyzer_voiceprints(Path(sys.executable), [voice(1.0)]))
    assert refused.value.code is ErrorCode.INTERNAL
    assert "make peer" in refused.value.remedy


def test_what_the_recordings_raise_is_raised() -> None:
    def broken() -> Iterator[NDArray[np.float32]]:
        raise OSError("the disc is gone")
        yield voice(1.0)

    with pytest.raises(OSError, match="the disc is gone"):
        list(resemblyzer_voiceprints(Path(sys.executable), broken()))


@needs_peer
def test_the_peer_tells_voices_apart_and_hears_nothing_in_silence() -> None:
    recordings = [voice(3.0, pitch=110, seed=1), voice(3.0, pitch=110, seed=2), voice(3.0, pitch=230, seed=3)]
    same, again, other, nothing = resemblyzer_voiceprints(PEER, [*recordings, np.zeros(16_000, np.float32)])
    assert same.shape == (SIZE,)
    assert np.linalg.norm(same) == pytest.approx(1, abs=1e-4)
    assert same @ again > same @ other
    assert not nothing.any()


@needs_peer
def test_what_was_taught_is_kept_by_path(tmp_path: Path) -> None:
    with cache_in(tmp_path):
        clips = write_clips(tmp_path)
        paths = [clip.path for clip in clips[:3]]
        cache = AudioCache.build(paths, "taught")
    file = tmp_path / "voices.npz"
    found = teach(PEER, [*paths, tmp_path / "missing.wav"], cache, file)
    voices = TaughtVoices.read(file)
    assert len(voices) == found > 0
    assert voices[tmp_path / "missing.wav"] is None


def test_saved_voiceprints_are_read_and_empty_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "voices.npz"
    prints = np.zeros((2, SIZE), np.float16)
    prints[0, 3] = 1
    np.savez(file, paths=np.array(["/a.wav", "/b.wav"]), voiceprints=prints)
    voices = TaughtVoices.read(file)
    assert len(voices) == 1
    found = voices[Path("/a.wav")]
    assert found is not None
    assert found[3] == 1
    assert voices[Path("/b.wav")] is None


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_file_without_voiceprints_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "voices.npz"
    file.write_bytes(content)
    with pytest.raises(UndertoneError) as refused:
        TaughtVoices.read(file)
    assert refused.value.code is ErrorCode.BAD_REQUEST
    with pytest.raises(UndertoneError):
        TaughtVoices.read(tmp_path / "missing.npz")
