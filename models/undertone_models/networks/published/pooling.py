"""Frames to one vector: structured self-attention, and statistics over time."""

import torch
from torch import Tensor, nn

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
