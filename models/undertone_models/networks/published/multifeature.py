"""Six features, each through its own convolutions and LSTM, with attention on one (TESS, RAVDESS, SAVEE, CREMA-D).

Shapes; a feature has C channels (40 MFCC or 64 mel bands, and 1 for each of the others) in 23 images of 8 frames:

    samples [B, 48000] -> features [B, 184, C], scaled as in training -> images [B * 23, C, 8]
    2 x (convolution of 3, batch norm, ELU, mean of 2), flattened       [B, 23, 64 * 2], of one channel [B, 23, 16 * 2]
    LSTM of 64, or 16: its last state; of the MFCC, soft attention over all    [B, 64], [B, 16]
    beside them mean and deviation over time of the features and their differences     [B, 4 * 45]
    all joined, linear 256, ELU, dropout                                [B, 256]
    linear output: emotions of women and of men, 14 classes

The five others are roll-off (0.85), centroid, bandwidth, zero-crossing rate and RMS level. The paper has two more
rows: mel bands in place of MFCC, and no attention. Where the source is silent: frames of 64 ms every 16 ms, no more
than 80 dB under the clip's loudest, the sizes above, and the scaling (a batch norm without weights), without which Hz
drown shares of 1. What a clip is padded with is not heard. The statistics past all layers are ours.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSettings, mel_or_mfcc
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads
from undertone_models.networks.published.padding import past_padding
from undertone_models.networks.published.pooling import SelfAttention, own_statistics
from undertone_models.networks.published.spectral_shapes import SHAPES, SpectralShapes

MEL = MelSettings(window=1024, hop=256, fft=1024, shape="hann", bands=64, centred=False, dynamics=80.0)


@dataclass(frozen=True)
class MultiFeatureSettings:
    """Sizes of the network."""

    window_samples: int = 48000
    features: Literal["mel", "mfcc"] = "mfcc"
    mel: MelSettings = MEL
    coefficients: int = 40
    attention: bool = True
    image: int = 8
    """Frames of an image; what is left over at the end is not heard."""
    filters: tuple[int, ...] = (32, 64)
    hidden: int = 64
    """Of the spectral feature; of one channel, filters and LSTM have a quarter."""
    dense: int = 256
    dropout: float = 0.4


class Branch(nn.Module):
    """One feature f32[B, T, channels] -> the LSTM's states f32[B, T / image, hidden]."""

    def __init__(self, channels: int, settings: MultiFeatureSettings, share: int = 1) -> None:
        super().__init__()
        self.image = settings.image
        filters = [number // share for number in settings.filters]
        self.width = settings.hidden // share
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((channels, *filters)):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm1d(outputs)]
            layers += [nn.ELU(), nn.AvgPool1d(2)]
        self.convolutions = nn.Sequential(*layers)
        width = filters[-1] * (settings.image // 2 ** len(filters))
        self.lstm = nn.LSTM(width, self.width, batch_first=True)

    def forward(self, feature: Tensor) -> Tensor:
        count = feature.shape[1] // self.image
        images = feature[:, : count * self.image].reshape(-1, self.image, feature.shape[2]).transpose(1, 2)
        states: Tensor
        states, _ = self.lstm(self.convolutions(images).reshape(feature.shape[0], count, -1))
        return states


class Features(nn.Module):
    """Samples f32[B, N] -> the spectral feature, the five others, and what is no padding: f32[B, T, channels + 6]."""

    def __init__(self, settings: MultiFeatureSettings) -> None:
        super().__init__()
        self.spectral = mel_or_mfcc(settings.features, settings.mel, settings.coefficients)
        self.shapes = SpectralShapes(settings.mel.fft)

    def forward(self, samples: Tensor) -> Tensor:
        frames = self.spectral.spectrogram.frames(samples)
        power = self.spectral.spectrogram.power(frames)
        shapes = self.shapes(frames, power)
        others = torch.stack([shapes[name] for name in SHAPES], dim=2)
        return torch.cat(
            past_padding(torch.cat([self.spectral.of_power(power), others], dim=2), frames), dim=2
        )


class MultiFeature(Fronted):
    """Samples f32[B, N] -> ``sex_emotion`` logits f32[B, 14]."""

    marks = 1

    def __init__(self, settings: MultiFeatureSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        front = Features(settings)
        self.front = front
        self.width = front.spectral.width
        self.scale = nn.BatchNorm1d(self.width + len(SHAPES), affine=False)
        self.spectral = Branch(self.width, settings)
        self.attention = SelfAttention(settings.hidden, settings.hidden) if settings.attention else None
        self.others = nn.ModuleDict({name: Branch(1, settings, share=4) for name in SHAPES})
        states = settings.hidden + len(SHAPES) * (settings.hidden // 4)
        summary = states + 4 * (self.width + len(SHAPES))
        self.scale_summary = nn.BatchNorm1d(summary, affine=False)
        self.dense = nn.Sequential(nn.Linear(summary, settings.dense), nn.ELU(), nn.Dropout(settings.dropout))
        self.heads = Heads(settings.dense, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        features = self.scale(heard[:, :, :-1].transpose(1, 2))
        frames, parts = features.transpose(1, 2), heard[:, :, -1:].transpose(1, 2)
        states = self.spectral(frames[:, :, : self.width])
        vectors = [states[:, -1] if self.attention is None else self.attention(states)]
        for channel, branch in enumerate(self.others.values(), start=self.width):
            vectors.append(branch(frames[:, :, channel : channel + 1])[:, -1])
        summary = torch.cat([*vectors, own_statistics(features, parts)], dim=1)
        answers: dict[str, Tensor] = self.heads(self.dense(self.scale_summary(summary)))
        return answers
