"""Frames to one vector: structured self-attention, and statistics over time of what is no padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_VARIANCE_FLOOR = 1e-4
_UNHEARD = 1e-6


class SelfAttention(nn.Module):
    """Structured self-attention (Lin et al. 2017): f32[B, T, width] -> f32[B, heads * width].

    Each head is a mean over time, weighed by softmax of w2 tanh(w1 h); one head is soft attention. As in the paper
    there are no biases: the softmax would undo the second.
    """

    def __init__(self, width: int, hidden: int, heads: int = 1) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden, bias=False)
        self.scores = nn.Linear(hidden, heads, bias=False)

    def weights(self, x: Tensor, parts: Tensor | None = None) -> Tensor:
        """Return the weights f32[B, T, heads]; a frame of which only a part f32[B, T, 1] is heard weighs less."""
        scores = self.scores(torch.tanh(self.hidden(x)))
        if parts is not None:
            scores = scores + torch.log(parts + _UNHEARD)
        return torch.softmax(scores, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.weights(x).transpose(1, 2) @ x).flatten(1)


def mean_and_deviation(x: Tensor, weights: Tensor) -> Tensor:
    """Channels f32[B, C, T], weights that sum to 1 over time -> f32[B, 2 * C]."""
    mean = (weights * x).sum(dim=2)
    distance = x - mean.unsqueeze(2)
    variance = (weights * distance * distance).sum(dim=2)
    return torch.cat([mean, torch.sqrt(torch.clamp(variance, min=_VARIANCE_FLOOR))], dim=1)


def statistics(channels: Tensor, heard: Tensor) -> Tensor:
    """Return mean and deviation f32[B, 2 * C] of f32[B, C, t] over what is heard, f32[B, 1, T] of the same time."""
    return mean_and_deviation(
        channels, time_weights(functional.adaptive_avg_pool1d(heard, channels.shape[2]))
    )


def time_weights(heard: Tensor) -> Tensor:
    """Return weights f32[B, 1, T] that sum to 1 over time and are all but 0 where nothing is heard, f32[B, 1, T]."""
    weights = heard + _UNHEARD
    return weights / weights.sum(dim=2, keepdim=True)


def own_statistics(features: Tensor, heard: Tensor) -> Tensor:
    """Return the statistics f32[B, 4 * F] of features f32[B, F, T] and of their differences from frame to frame."""
    differences = features[:, :, 1:] - features[:, :, :-1]
    return torch.cat([statistics(features, heard), statistics(differences, heard[:, :, 1:])], dim=1)
