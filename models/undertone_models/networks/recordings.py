"""One whole recording through the streaming network, undisturbed: what validation and the protocols measure."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertone_models.networks.sequences import encode_sequences
from undertone_models.networks.streaming import StreamingNetwork, moments
from undertone_service.dsp.speech import active_steps


def recording_sequence(samples: NDArray[np.float32]) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return the active steps of f32[n] as a batch of one: samples, mask, first; None where there is none."""
    steps = active_steps(samples)
    if not steps:
        return None
    return (
        torch.from_numpy(np.stack([step.samples for step in steps]))[None],
        torch.from_numpy(np.stack([step.mask for step in steps]))[None],
        torch.tensor([[step.first for step in steps]]),
    )


@torch.no_grad()
def recording_logits(network: StreamingNetwork, samples: NDArray[np.float32]) -> dict[str, Tensor] | None:
    """Return ``Heads.logits`` over a whole recording f32[n], a batch of one; None where no speech is found."""
    found = recording_sequence(samples)
    if found is None:
        return None
    statistics, *_ = encode_sequences(network.encoder, *found)
    return network.heads.logits(moments(statistics.sum(dim=1), network.settings.pools()))
