"""Hiding parts of the spectrum in training, so that no single band or moment is relied upon."""

import torch
from torch import Tensor, nn

from undertone_models.networks.logmel import BANDS

_LONGEST_SHARE = 5  # of a row's frames at most one in five is hidden at a stretch


class SpectralMask(nn.Module):
    """Hides two random stretches of bands and two of time in every row (SpecAugment, Park et al. 2019, section 2).

    ``bands`` and ``frames`` (10 ms each) are the longest stretches.
    """

    def __init__(self, bands: int, frames: int) -> None:
        super().__init__()
        self.bands = bands
        self.frames = frames

    def forward(self, views: Tensor) -> Tensor:
        """Views f32[B, T, 2, 80] -> the same with what is hidden at 0, the mean; as they are outside training."""
        if not self.training:
            return views
        frames = views.shape[1]
        for longest, size, dim in (
            (self.bands, BANDS, 3),
            (min(self.frames, frames // _LONGEST_SHARE), frames, 1),
        ):
            for _ in range(2):
                views = views.masked_fill(_stretches(len(views), longest, size, dim), 0.0)
        return views


def _stretches(batch: int, longest: int, size: int, dim: int) -> Tensor:
    """Return bool[batch, ...] with a stretch of up to ``longest`` of ``size`` places set along ``dim`` of four."""
    width = torch.rand(batch, 1) * longest
    start = torch.rand(batch, 1) * (size - width)
    place = torch.arange(size)
    shape = [batch, 1, 1, 1]
    shape[dim] = size
    return ((place >= start) & (place < start + width)).reshape(shape)
