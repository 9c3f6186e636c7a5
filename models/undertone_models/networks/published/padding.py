"""What a window is padded with, zeros in front, is no sound: features past it, and which frames are of it."""

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSpectrogram


def past_padding(features: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return features f32[B, T, F], at their mean where a frame is padding, and f32[B, T, 1]: 0 there, 1 elsewhere.

    Padding are frames f32[B, T, window] of exact zeros.
    """
    heard = (frames.abs().amax(dim=2, keepdim=True) > 0).to(features.dtype)
    mean = (heard * features).sum(dim=1, keepdim=True) / torch.clamp(heard.sum(dim=1, keepdim=True), min=1)
    return heard * features + (1 - heard) * mean, heard


class HeardFeatures(nn.Module):
    """Samples f32[B, N] -> f32[B, T, width + 1]: mel bands or MFCC, and last 0 for a frame of padding, 1 for another.

    ``joined`` frames count as one: their mean, and last the part of them that is no padding.
    """

    def __init__(self, front: MelSpectrogram, joined: int = 1) -> None:
        super().__init__()
        self.front = front
        self.width = front.width
        self.join = nn.AvgPool1d(joined)

    def forward(self, samples: Tensor) -> Tensor:
        frames = self.front.spectrogram.frames(samples)
        features = self.front.of_power(self.front.spectrogram.power(frames))
        both = torch.cat(past_padding(features, frames), dim=2)
        joined: Tensor = self.join(both.transpose(1, 2)).transpose(1, 2)
        return joined
