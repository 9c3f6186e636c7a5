"""One number a frame: roll-off, centroid, bandwidth, zero-crossing rate and RMS level, after librosa.

The first three read a magnitude spectrum f32[B, T, F], or it as shares of its sum, and give Hz, f32[B, T]; the others
read frames f32[B, T, window]. A silent frame has 0 everywhere.

Compromise: librosa's roll-off is the bin in which the share is reached. Ours goes on to the place inside that bin,
up to one bin further: a step function would turn the last digit of a sum, which depends on the batch, into a bin.
"""

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import bin_frequencies

_TINY = 1e-20
_SILENCE = 1e-10  # samples as small as this have no sign


class SpectralShapes(nn.Module):
    """Frames f32[B, T, window] and their power f32[B, T, fft / 2 + 1] -> five features, f32[B, T] each."""

    def __init__(self, fft: int) -> None:
        super().__init__()
        self.frequencies: Tensor
        frequencies = torch.from_numpy(bin_frequencies(fft)).float()
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, frames: Tensor, power: Tensor) -> dict[str, Tensor]:
        magnitudes = torch.sqrt(power)
        weights = magnitudes / torch.clamp(magnitudes.sum(dim=2, keepdim=True), min=_TINY)
        middle = centroid(weights, self.frequencies)
        return {
            "rolloff": rolloff(magnitudes, self.frequencies),
            "centroid": middle,
            "bandwidth": bandwidth(weights, self.frequencies, middle),
            "zero_crossing_rate": zero_crossing_rate(frames),
            "rms": rms(frames),
        }


SHAPES = ("rolloff", "centroid", "bandwidth", "zero_crossing_rate", "rms")


def rolloff(magnitudes: Tensor, frequencies: Tensor, share: float = 0.85) -> Tensor:
    """Frequency in Hz below which ``share`` of the magnitude lies."""
    sums = magnitudes.cumsum(dim=2)
    missing = share * sums[:, :, -1:] - (sums - magnitudes)
    passed = torch.clamp(missing / torch.clamp(magnitudes, min=_TINY), min=0, max=1)
    return passed.sum(dim=2) * frequencies[1]


def centroid(weights: Tensor, frequencies: Tensor) -> Tensor:
    """Mean frequency in Hz, by weights that sum to 1."""
    return weights @ frequencies


def bandwidth(weights: Tensor, frequencies: Tensor, middle: Tensor) -> Tensor:
    """Standard deviation of the frequency in Hz from its mean, by weights that sum to 1."""
    distance = frequencies - middle.unsqueeze(2)
    return torch.sqrt((distance.square() * weights).sum(dim=2))


def zero_crossing_rate(frames: Tensor) -> Tensor:
    """Changes of sign, as a share of the frame's samples."""
    below = frames < -_SILENCE
    return (below[:, :, 1:] != below[:, :, :-1]).float().sum(dim=2) / frames.shape[2]


def rms(frames: Tensor) -> Tensor:
    """Root of the mean square."""
    return torch.sqrt((frames * frames).mean(dim=2))
