"""Emotion from 3 s by one-dimensional convolutions, an LSTM or a Transformer (RAVDESS; three networks).

Shapes; T = 565 frames and F = 64 mel bands in dB or 13 MFCC:

    samples [B, 48000] -> features [B, T, F], each scaled as in training -> [B, F, T]
    cnn1d:           4 x (convolution of 5, batch norm, ReLU, maximum of 4, dropout) -> mean over time [B, 256]
    bilstm-attention: 2 bidirectional LSTMs of 128 [B, T, 256] -> soft attention [B, 256]
    cnn-transformer: convolutions: 3 x (convolution of 3, batch norm, ReLU, maximum of 4, dropout)  [B, 128, 8] = 1024
                     beside them: maximum of 4 over time, linear 64, 4 Transformer layers (4 heads,
                     512 hidden) [B, 141, 64] -> mean over time [B, 64]; both joined                [B, 1088]
    linear output: emotion

The published frames, 21.3 ms every 5.3 ms, are kept in time: 1024 and 256 samples at 48 kHz are 341 and 85 at 16 kHz,
and an FFT of 341 keeps the 47 Hz between bins. Where the source is silent: 64 bands (128 in 8 kHz would leave one
without a bin), the sizes above, no positions for the Transformer (the convolutions beside it know the order).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSettings, mel_or_mfcc
from undertone_models.networks.published.heads import Classes, Heads
from undertone_models.networks.published.pooling import SelfAttention

MEL = MelSettings(window=341, hop=85, fft=341, shape="hann", bands=64)


@dataclass(frozen=True)
class FeatureSettings:
    """What all three networks hear."""

    window_samples: int = 48000
    features: Literal["mel", "mfcc"] = "mel"
    mel: MelSettings = MEL
    coefficients: int = 13
    dropout: float = 0.3


@dataclass(frozen=True)
class Cnn1dSettings(FeatureSettings):
    """Published with MFCC."""

    features: Literal["mel", "mfcc"] = "mfcc"
    filters: tuple[int, ...] = (64, 128, 256, 256)


@dataclass(frozen=True)
class BilstmAttentionSettings(FeatureSettings):
    """Published with both features."""

    hidden: int = 128
    layers: int = 2
    attention: int = 128


@dataclass(frozen=True)
class CnnTransformerSettings(FeatureSettings):
    """Published with both features."""

    filters: tuple[int, ...] = (32, 64, 128)
    width: int = 64
    attention_heads: int = 4
    hidden: int = 512
    layers: int = 4


class Features(nn.Module):
    """Samples f32[B, N] -> features f32[B, width, T], scaled by mean and deviation over the training set."""

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        self.front = mel_or_mfcc(settings.features, settings.mel, settings.coefficients)
        self.width = self.front.width
        self.scale = nn.BatchNorm1d(self.width, affine=False)

    def forward(self, samples: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.front(samples).transpose(1, 2))
        return scaled


class Cnn1d(nn.Module):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: Cnn1dSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.features = Features(settings)
        self.convolutions = _convolutions((self.features.width, *settings.filters), 5, settings.dropout)
        self.heads = Heads(settings.filters[-1], classes)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = self.heads(self.convolutions(self.features(samples)).mean(dim=2))
        return answers


class BilstmAttention(nn.Module):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: BilstmAttentionSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.features = Features(settings)
        self.lstm = nn.LSTM(
            self.features.width, settings.hidden, settings.layers, batch_first=True, bidirectional=True
        )
        self.attention = SelfAttention(2 * settings.hidden, settings.attention)
        self.dropout = nn.Dropout(settings.dropout)
        self.heads = Heads(2 * settings.hidden, classes)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        frames, _ = self.lstm(self.features(samples).transpose(1, 2))
        answers: dict[str, Tensor] = self.heads(self.dropout(self.attention(frames)))
        return answers


class CnnTransformer(nn.Module):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: CnnTransformerSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.features = Features(settings)
        self.convolutions = _convolutions((self.features.width, *settings.filters), 3, settings.dropout)
        self.shorten = nn.MaxPool1d(4)
        self.project = nn.Linear(self.features.width, settings.width)
        layer = nn.TransformerEncoderLayer(
            settings.width, settings.attention_heads, settings.hidden, settings.dropout, batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        frames = 1 + settings.window_samples // settings.mel.hop
        left = frames // 4 ** len(settings.filters)
        self.heads = Heads(settings.filters[-1] * left + settings.width, classes)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        features = self.features(samples)
        local = self.convolutions(features).flatten(1)
        whole = self.transformer(self.project(self.shorten(features).transpose(1, 2))).mean(dim=1)
        answers: dict[str, Tensor] = self.heads(torch.cat([local, whole], dim=1))
        return answers


def _convolutions(widths: tuple[int, ...], kernel: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, bias=False)]
        layers += [nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(4), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
