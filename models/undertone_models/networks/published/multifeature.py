"""Six features, each through its own convolutions and LSTM, with attention on one (TESS, RAVDESS, SAVEE, CREMA-D).

Shapes; a feature has C channels (13 MFCC or 64 mel bands, and 1 for each of the others) in 23 images of 8 frames:

    samples [B, 48000] -> features [B, 184, C], scaled as in training -> images [B * 23, C, 8]
    2 x (convolution of 3, batch norm, ELU, mean of 2), flattened       [B, 23, 64 * 2]
    LSTM of 64: its last state; of the MFCC, soft attention over all    [B, 64]
    the six joined, linear 128, ELU, dropout                            [B, 128]
    linear output: emotions of women and of men, 14 classes

The five others are roll-off (0.85), centroid, bandwidth, zero-crossing rate and RMS level. The paper has two more
rows: mel bands in place of MFCC, and no attention. Where the source is silent: frames of 64 ms every 16 ms, the sizes
above, and the scaling (a batch norm without weights), without which Hz drown shares of 1.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSettings, mel_or_mfcc
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads
from undertone_models.networks.published.pooling import SelfAttention
from undertone_models.networks.published.spectral_shapes import SHAPES, SpectralShapes

MEL = MelSettings(window=1024, hop=256, fft=1024, shape="hann", bands=64, centred=False)


@dataclass(frozen=True)
class MultiFeatureSettings:
    """Sizes of the network."""

    window_samples: int = 48000
    features: Literal["mel", "mfcc"] = "mfcc"
    mel: MelSettings = MEL
    coefficients: int = 13
    attention: bool = True
    image: int = 8
    """Frames of an image; what is left over at the end is not heard."""
    filters: tuple[int, ...] = (32, 64)
    hidden: int = 64
    dense: int = 128
    dropout: float = 0.3


class Branch(nn.Module):
    """One feature f32[B, T, channels] -> the LSTM's states f32[B, T / image, hidden]."""

    def __init__(self, channels: int, settings: MultiFeatureSettings) -> None:
        super().__init__()
        self.image = settings.image
        self.scale = nn.BatchNorm1d(channels, affine=False)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((channels, *settings.filters)):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm1d(outputs)]
            layers += [nn.ELU(), nn.AvgPool1d(2)]
        self.convolutions = nn.Sequential(*layers)
        width = settings.filters[-1] * (settings.image // 2 ** len(settings.filters))
        self.lstm = nn.LSTM(width, settings.hidden, batch_first=True)

    def forward(self, feature: Tensor) -> Tensor:
        count = feature.shape[1] // self.image
        scaled = self.scale(feature[:, : count * self.image].transpose(1, 2)).transpose(1, 2)
        images = scaled.reshape(-1, self.image, feature.shape[2]).transpose(1, 2)
        states: Tensor
        states, _ = self.lstm(self.convolutions(images).reshape(feature.shape[0], count, -1))
        return states


class Features(nn.Module):
    """Samples f32[B, N] -> the spectral feature and the five others beside it, f32[B, T, channels + 5]."""

    def __init__(self, settings: MultiFeatureSettings) -> None:
        super().__init__()
        self.spectral = mel_or_mfcc(settings.features, settings.mel, settings.coefficients)
        self.shapes = SpectralShapes(settings.mel.fft)

    def forward(self, samples: Tensor) -> Tensor:
        frames = self.spectral.spectrogram.frames(samples)
        power = self.spectral.spectrogram.power(frames)
        shapes = self.shapes(frames, power)
        others = torch.stack([shapes[name] for name in SHAPES], dim=2)
        return torch.cat([self.spectral.of_power(power), others], dim=2)


class MultiFeature(Fronted):
    """Samples f32[B, N] -> ``sex_emotion`` logits f32[B, 14]."""

    def __init__(self, settings: MultiFeatureSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        front = Features(settings)
        self.front = front
        self.width = front.spectral.width
        self.spectral = Branch(self.width, settings)
        self.attention = SelfAttention(settings.hidden, settings.hidden) if settings.attention else None
        self.others = nn.ModuleDict({name: Branch(1, settings) for name in SHAPES})
        self.dense = nn.Sequential(
            nn.Linear((1 + len(SHAPES)) * settings.hidden, settings.dense),
            nn.ELU(),
            nn.Dropout(settings.dropout),
        )
        self.heads = Heads(settings.dense, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        states = self.spectral(heard[:, :, : self.width])
        vectors = [states[:, -1] if self.attention is None else self.attention(states)]
        for channel, branch in enumerate(self.others.values(), start=self.width):
            vectors.append(branch(heard[:, :, channel : channel + 1])[:, -1])
        answers: dict[str, Tensor] = self.heads(self.dense(torch.cat(vectors, dim=1)))
        return answers
