"""A corpus of synthetic voices on disc, with labels and trials, large enough to train and export a tiny network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tiny_bundle import SETTINGS
from tests.voices import SAMPLE_RATE, voice
from undertone_models.data.clips import Clip
from undertone_models.data.labels import write_labels
from undertone_models.data.noise import Noise
from undertone_models.data.trials import Trial
from undertone_models.training.batches import SamplingSettings
from undertone_models.training.settings import TrainSettings

EMOTIONAL, PLAIN, VALID = "ravdess", "fsdd", "saa"
"""Corpora: the train split's with emotions, the train split's without, and the valid split's."""

TINY = TrainSettings(
    steps=6, warm_up=2, margin_warm_up=3, validate_every=3, validation_clips=4, checkpoint_every=2, workers=0,
    network=SETTINGS, sampling=SamplingSettings(batch=4, crop_seconds=(0.6, 1.0)),
)  # fmt: skip


@contextmanager
def cache_in(folder: Path) -> Iterator[None]:
    """Keep decoded audio and runs in ``folder``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERTONE_CACHE", str(folder))
        yield


def write_clips(folder: Path) -> list[Clip]:
    """Write 4 speakers to train on and 4 to validate on, 4 clips each, as WAV files and ``labels.csv``."""
    clips = []
    for number in range(8):
        split, sex = ("train", "valid")[number // 4], ("female", "male")[number % 2]
        corpus = VALID if split == "valid" else (EMOTIONAL, PLAIN)[number // 2]
        for take in range(4):
            path = folder / f"{corpus}-{number}-{take}.wav"
            seconds = 3.3 if split == "valid" else 1.4
            pitch = (205.0 if sex == "female" else 105.0) + 6 * number
            soundfile.write(path, voice(seconds, pitch=pitch, seed=10 * number + take), SAMPLE_RATE)
            emotion = None if corpus == PLAIN else ("neutral", "anger", "sadness")[take % 3]
            age = None if corpus == EMOTIONAL else 25.0 + 5 * number
            clips.append(
                Clip(
                    path,
                    corpus,
                    f"{corpus}_{number}",
                    sex,
                    age,
                    emotion=emotion,
                    split=split,
                    seconds=seconds,
                )
            )
    write_labels(folder / "labels.csv", clips, folder)
    return clips


def write_noises(folder: Path) -> list[Noise]:
    """Write a noise and a room response of the train split."""
    random = np.random.default_rng(0)
    response = np.zeros(800, np.float32)
    response[5], response[500] = 0.9, 0.2
    soundfile.write(folder / "hiss.wav", 0.1 * random.standard_normal(20_000).astype(np.float32), SAMPLE_RATE)
    soundfile.write(folder / "room.wav", response, SAMPLE_RATE)
    return [
        Noise(folder / "hiss.wav", "noise", "train", 1.25, "none"),
        Noise(folder / "room.wav", "rir", "train", 0.05, "none"),
    ]


def valid_trials(clips: list[Clip]) -> list[Trial]:
    """Return trials of the valid split: every speaker's first two clips against everybody's last one."""
    speakers: dict[str, list[Path]] = {}
    for clip in clips:
        if clip.split == "valid":
            speakers.setdefault(clip.speaker, []).append(clip.path)
    return [
        Trial(
            tuple(own[:2]), other[3], own is other, "same-session", VALID, 3.0, {1: 17_000, 3: None, 5: None}
        )
        for own in speakers.values()
        for other in speakers.values()
    ]
