"""A quick look at the valid split while training runs; the full evaluation works on the exported bundle."""

from collections.abc import Sequence

import numpy as np
import torch

from undertone_models.data.audio import AudioCache
from undertone_models.networks.recordings import recording_logits
from undertone_models.networks.streaming import AGE_BINS, StreamingNetwork
from undertone_models.training.batches import UNKNOWN, Example
from undertone_models.training.pairs import pairwise_eer


@torch.no_grad()
def validate(network: StreamingNetwork, labelled: Sequence[Example], cache: AudioCache) -> dict[str, float]:
    """Return emotion, gender (accuracy), age (mean absolute error, years) and voice EER over these clips.

    Clips in which no speech is found are left out here; the full evaluation counts them as errors.
    """
    network.eval()
    emotion, gender, age = [], [], []
    voiceprints, speakers = [], []
    for example in labelled:
        assert example.clip is not None
        outputs = recording_logits(network, cache[example.clip.path])
        if outputs is None:
            continue
        if example.emotion != UNKNOWN:
            allowed = torch.tensor(example.allowed)
            best = outputs["emotion"][0].masked_fill(~allowed, -1e4).argmax()
            emotion.append(float(best == example.emotion))
        if example.gender != UNKNOWN:
            gender.append(float(outputs["gender"][0].argmax() == example.gender))
        if not np.isnan(example.age):
            years = (torch.softmax(outputs["age"][0], dim=0) * AGE_BINS).sum()
            age.append(abs(float(years) - example.age))
        if example.speaker != UNKNOWN:
            voiceprints.append(outputs["voiceprint"][0].numpy())
            speakers.append(example.speaker)
    network.train()
    return {
        "valid_emotion": _mean(emotion),
        "valid_gender": _mean(gender),
        "valid_age": _mean(age),
        "valid_eer": pairwise_eer(np.array(voiceprints), np.array(speakers)),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
