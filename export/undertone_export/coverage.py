"""What a bundle may answer: the tasks and emotions that it was shown enough people for.

A label of a person, such as an age, is one example a speaker, however many clips there are; an emotion is an example
a clip, and every actor shows most of them. So the former need at least 100 speakers, the latter at least 20. The
voiceprint is always there: a network learns it from speakers without any label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from undertone_models.data.clips import Clip
from undertone_models.networks.streaming import StreamingNetwork
from undertone_service.protocol.labels import EMOTIONS

LEAST_SPEAKERS: Mapping[str, int] = {"emotion": 20, "gender": 100, "age": 100}
"""Training speakers with a label, below which the task is left out of the bundle."""


@dataclass(frozen=True)
class Coverage:
    """``tasks`` and ``emotions`` that a bundle answers, and why each task that it lacks is ``left_out``."""

    tasks: tuple[str, ...]
    emotions: tuple[str, ...]
    left_out: dict[str, str]


def coverage(
    train: Sequence[Clip], unsure_gender: Sequence[str], least: Mapping[str, int] = LEAST_SPEAKERS
) -> Coverage:
    """Decide from the clips that a network was trained on; ``unsure_gender`` as in training."""
    labelled: dict[str, Callable[[Clip], bool]] = {
        "emotion": lambda clip: clip.emotion is not None,
        "gender": lambda clip: clip.sex is not None and clip.corpus not in unsure_gender,
        "age": lambda clip: clip.age is not None,
    }
    speakers = {
        task: len({clip.speaker for clip in train if known(clip)} - {""}) for task, known in labelled.items()
    }
    return Coverage(
        tasks=(*(task for task in labelled if speakers[task] >= least[task]), "voiceprint"),
        emotions=tuple(name for name in EMOTIONS if any(clip.emotion == name for clip in train)) or EMOTIONS,
        left_out={
            task: f"only {speakers[task]} training speakers with a label, fewer than {least[task]}"
            for task in labelled
            if speakers[task] < least[task]
        },
    )


@torch.no_grad()
def restrict(network: StreamingNetwork, covered: Coverage) -> StreamingNetwork:
    """Cut emotions that were never shown off the network, and silence the heads of tasks that are left out.

    A silenced head answers the same, whatever it hears.
    """
    heads = network.heads
    last = heads.emotion[-1]
    assert isinstance(last, nn.Linear)
    rows = [EMOTIONS.index(name) for name in covered.emotions]
    kept = nn.Linear(last.in_features, len(rows))
    kept.weight.copy_(last.weight[rows])
    kept.bias.copy_(last.bias[rows])
    heads.emotion[-1] = kept
    network.settings = heads.settings = replace(network.settings, emotions=len(rows))
    for task in covered.left_out:
        answers = getattr(heads, task)[-1]
        nn.init.zeros_(answers.weight)
        nn.init.zeros_(answers.bias)
    return network
