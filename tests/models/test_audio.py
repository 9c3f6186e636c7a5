"""Decoding of single files, and the cache of many."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from undertone_models.data import audio
from undertone_models.data.audio import AudioCache, UnreadableAudio, load_audio


def tone(seconds: float = 0.5, rate: int = 16_000) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("UNDERTONE_CACHE", str(folder))
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.wav" for number in range(5)]
    for number, path in enumerate(paths):
        soundfile.write(path, tone(0.2 + 0.1 * number), 16_000)
    return paths


def test_stereo_at_another_rate_becomes_16_khz_mono(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone(rate=44_100), 0 * tone(rate=44_100)], axis=1), 44_100)
    samples = load_audio(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert samples.shape == (8_000,)
    np.testing.assert_allclose(samples[2_000:6_000], 0.5 * tone()[2_000:6_000], atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0), "empty"),
        (tone(0.09), "shorter than 0.1 s"),
        (np.zeros(16_000), "silent"),
        (np.where(np.arange(8_000) == 7, np.nan, tone()), "not finite"),
    ],
)
def test_unusable_samples_have_a_reason(tmp_path: Path, samples: NDArray[np.float64], reason: str) -> None:
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(UnreadableAudio) as caught:
        load_audio(tmp_path / "a.wav")
    assert caught.value.reason == reason


@pytest.mark.parametrize("make", [lambda p: p.write_text("no audio"), lambda p: p.mkdir(), lambda p: None])
def test_what_is_no_audio_file_has_a_reason(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "a.wav")
    with pytest.raises(UnreadableAudio, match="unreadable"):
        load_audio(tmp_path / "a.wav")


def test_cache_holds_what_the_files_hold_and_lists_the_rest(tmp_path: Path, clips: list[Path]) -> None:
    (tmp_path / "bad.wav").write_text("no audio")
    cache = AudioCache.build([*clips, tmp_path / "bad.wav", tmp_path / "gone.wav"], "speech")
    for path in clips:
        np.testing.assert_allclose(cache[path], load_audio(path), atol=1 / 32_768)
    assert [Path(rejected.path).name for rejected in cache.rejected] == ["bad.wav", "gone.wav"]
    assert tmp_path / "bad.wav" not in cache
    with pytest.raises(KeyError):
        cache[tmp_path / "bad.wav"]


def test_full_scale_does_not_wrap(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", 3.0 * tone(), 16_000, subtype="FLOAT")
    samples = AudioCache.build([tmp_path / "loud.wav"], "speech")[tmp_path / "loud.wav"]
    np.testing.assert_allclose(samples, np.clip(3.0 * tone(), -1, 1), atol=1e-3)


def test_only_new_and_changed_files_are_decoded_again(
    tmp_path: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    AudioCache.build(clips[:4], "speech")
    soundfile.write(clips[0], tone(0.9), 16_000)
    decoded: list[Path] = []

    def watched(path: Path) -> NDArray[np.float32]:
        decoded.append(path)
        return load_audio(path)

    monkeypatch.setattr(audio, "load_audio", watched)
    cache = AudioCache.build(clips, "speech")
    assert sorted(decoded) == [clips[0], clips[4]]
    for path in clips:
        np.testing.assert_allclose(cache[path], load_audio(path), atol=1 / 32_768)
    AudioCache.build(clips, "speech")
    AudioCache.build(clips[1:3], "speech")
    assert len(decoded) == 2


def test_build_that_dies_leaves_the_former_cache(
    clips: list[Path], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AudioCache.build(clips[:2], "speech")

    def dies(path: Path) -> NDArray[np.float32]:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(audio, "load_audio", dies)
        with pytest.raises(MemoryError):
            AudioCache.build(clips, "speech")
        cache = AudioCache.build(clips[:2], "speech")
        np.testing.assert_allclose(cache[clips[1]], load_audio(clips[1]), atol=1 / 32_768)
    (partial,) = (cache_folder / "speech").glob("*.partial")
    os.utime(partial, (0, 0))
    partial = partial.rename(partial.with_stem("1"))
    AudioCache.build(clips, "speech")
    assert sorted(path.suffix for path in (cache_folder / "speech").iterdir()) == [".json", ".pcm"]


@pytest.mark.parametrize("harm", ["cut the samples", "cut the index", "lose the samples"])
def test_damaged_cache_is_built_again(clips: list[Path], cache_folder: Path, harm: str) -> None:
    AudioCache.build(clips, "speech")
    (pcm,) = (cache_folder / "speech").glob("*.pcm")
    index = cache_folder / "speech" / "index.json"
    if harm == "cut the samples":
        pcm.write_bytes(pcm.read_bytes()[:-200])
    elif harm == "cut the index":
        index.write_text(index.read_text()[:-20])
    else:
        pcm.unlink()
    cache = AudioCache.build(clips, "speech")
    np.testing.assert_allclose(cache[clips[4]], load_audio(clips[4]), atol=1 / 32_768)
