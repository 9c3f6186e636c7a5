"""The training material of a run: labelled clips, decoded, and noises."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from undertone_models.data.audio import AudioCache, load_audio
from undertone_models.data.clips import Clip
from undertone_models.data.noise import Noise
from undertone_models.networks.logmel import NORMALISER_SIZE
from undertone_models.networks.recordings import recording_sequence
from undertone_models.networks.sequences import spectral_views
from undertone_models.networks.streaming import Encoder


@dataclass(frozen=True)
class Corpus:
    """Clips by split with their samples, and the noises and room responses of the training split."""

    train: list[Clip]
    valid: list[Clip]
    cache: AudioCache
    noises: list[NDArray[np.float32]]
    responses: list[NDArray[np.float32]]


def gather(clips: Sequence[Clip], noises: Sequence[Noise]) -> Corpus:
    """Decode what a run needs; test speakers and test noises are left out."""
    wanted = [clip for clip in clips if clip.split in ("train", "valid")]
    cache = AudioCache.build([clip.path for clip in wanted], "train-speech")
    usable = [clip for clip in wanted if clip.path in cache]
    heard = [noise for noise in noises if noise.split == "train"]
    sounds = AudioCache.build([noise.path for noise in heard if noise.kind == "noise"], "train-noise")
    return Corpus(
        [clip for clip in usable if clip.split == "train"],
        [clip for clip in usable if clip.split == "valid"],
        cache,
        [sounds[noise.path] for noise in heard if noise.kind == "noise" and noise.path in sounds],
        # Responses of small devices last a few milliseconds.
        [load_audio(noise.path, shortest=0.0) for noise in heard if noise.kind == "rir"],
    )


def measure_corpus_mean(encoder: Encoder, recordings: Sequence[NDArray[np.float32]]) -> None:
    """Set the normaliser's corpus mean to the mean level-normalised log spectrum of these recordings."""
    mean = encoder.normaliser.corpus_mean
    mean.zero_()
    total, count = torch.zeros_like(mean), 0.0
    for samples in recordings:
        found = recording_sequence(samples)
        if found is None:
            continue
        start = torch.zeros(1, NORMALISER_SIZE)
        views = spectral_views(encoder, *found, start)[0][0, :, :, 0]
        weight = found[1][0].repeat_interleave(2, dim=1).unsqueeze(2)
        total += (views * weight).sum(dim=(0, 1))
        count += float(weight.sum())
    mean.copy_(total / max(count, 1.0) * encoder.normaliser.scale)
