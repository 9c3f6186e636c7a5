"""Voices taken apart: synthetic ones, real ones where there are some, and what cannot be taken apart."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.voices import SAMPLE_RATE, voice
from undertone_client.audio.separation import separate, separate_file
from undertone_client.command_line import main
from undertone_service.protocol.errors import ErrorCode, UndertoneError

MIXTURE = np.array([[0.7, 0.5], [0.3, 0.8]], np.float32)
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the absolute correlation of two signals: sign and level are lost in any separation."""
    return float(abs(np.corrcoef(one, other)[0, 1]))


def best_order(found: NDArray[np.float32], voices: NDArray[np.float32]) -> list[int]:
    """Return for each of the voices f32[n, 2] the column of ``found`` that is most like it."""
    return [int(np.argmax([likeness(found[:, i], one) for i in range(found.shape[1])])) for one in voices.T]


def two_voices() -> NDArray[np.float32]:
    return np.stack([voice(4.0, pitch=110, seed=1), voice(4.0, pitch=215, seed=2)], axis=1)


def test_two_mixed_voices_come_out_as_they_went_in() -> None:
    voices = two_voices()
    found = separate(voices @ MIXTURE.T)
    order = best_order(found, voices)
    assert sorted(order) == [0, 1]
    assert all(likeness(found[:, order[i]], voices[:, i]) > 0.99 for i in range(2))
    assert np.abs(found).max() <= 1


def test_two_voices_are_found_in_three_channels() -> None:
    voices = two_voices()
    mixed = voices @ np.array([[0.7, 0.5], [0.3, 0.8], [0.5, 0.1]], np.float32).T
    mixed = mixed + 1e-3 * np.random.default_rng(0).standard_normal(mixed.shape).astype(np.float32)
    found = separate(mixed, 2)
    assert found.shape == (len(voices), 2)
    assert sorted(best_order(found, voices)) == [0, 1]


@pytest.mark.parametrize(
    ("samples", "voices", "reason"),
    [
        (voice(1.0)[:, None], None, "1 channel"),
        (two_voices(), 3, "3 voice"),
        (two_voices(), 1, "1 voice"),
        (np.repeat(voice(1.0)[:, None], 2, axis=1), None, "do not differ"),
        (np.zeros((16000, 2), np.float32), None, "do not differ"),
        (np.zeros((0, 2), np.float32), None, "do not differ"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(
    samples: NDArray[np.float32], voices: int | None, reason: str
) -> None:
    with pytest.raises(UndertoneError, match=reason) as refusal:
        separate(samples, voices)
    assert refusal.value.code is ErrorCode.UNSUPPORTED_AUDIO


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "bad.wav", np.full((100, 2), np.nan), SAMPLE_RATE, subtype="FLOAT")
    for name in ("missing.wav", "text.wav", "bad.wav"):
        with pytest.raises(UndertoneError) as refusal:
            separate_file(tmp_path / name)
        assert refusal.value.code is ErrorCode.BAD_AUDIO


def analysed(server_url: str, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main(["analyze", *words, "--json", "--url", server_url]) == 0
    return [json.loads(line)["channels"][0] for line in capsys.readouterr().out.splitlines()]


def assert_like_the_unmixed(
    voices: NDArray[np.float32], server_url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(folder / "mixed.wav", voices @ MIXTURE.T, SAMPLE_RATE, subtype="FLOAT")
    order = best_order(separate(voices @ MIXTURE.T), voices)
    found = analysed(server_url, capsys, str(folder / "mixed.wav"), "--separate", "ica")
    assert len(found) == 2
    for number, samples in enumerate(voices.T):
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE)
        (alone,) = analysed(server_url, capsys, str(folder / f"{number}.wav"))
        taken = found[order[number]]
        assert (
            taken["gender"] == pytest.approx(alone["gender"], abs=0.1) or taken["gender"] == alone["gender"]
        )
        assert taken["speech"] == pytest.approx(alone["speech"], abs=0.6)
        one, other = taken["emotion"], alone["emotion"]
        assert isinstance(one, dict)
        assert isinstance(other, dict)
        assert one["label"] == other["label"]


def test_each_voice_is_answered_as_it_is_alone(
    server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_like_the_unmixed(two_voices(), server_url, tmp_path, capsys)


def test_real_voices_are_answered_as_they_are_alone(
    server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = SHARED / "labels.csv"
    if not labels.is_file():
        pytest.skip(f"needs real voices: no {os.path.relpath(labels)}")
    import csv

    with labels.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] == "saa" and row["split"] == "valid"]
    chosen = [
        next(row for row in rows if row["sex"] == sex and float(row["seconds"]) > 4)
        for sex in ("female", "male")
    ]
    clips = [soundfile.read(SHARED / row["path"], dtype="float32")[0] for row in chosen]
    length = min(len(clip) for clip in clips)
    voices = np.stack([clip[:length] for clip in clips], axis=1)
    assert_like_the_unmixed(voices, server_url, tmp_path, capsys)
