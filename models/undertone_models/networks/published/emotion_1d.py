"""Emotion from 3 s by one-dimensional convolutions, an LSTM or a Transformer (RAVDESS; three networks).

Shapes; T = 565 frames and F = 64 mel bands in dB or 13 MFCC:

    samples [B, 48000] -> features [B, T, F], each scaled as in training -> [B, F, T]
    cnn1d:            4 x (convolution of 5, batch norm, ReLU, maximum of 4, dropout) -> mean over time [B, 256]
    bilstm-attention: mean of 8 frames, 2 bidirectional LSTMs of 128 [B, 70, 256] -> soft attention     [B, 256]
    cnn-transformer:  mean of 4 frames [B, F, 141]; of that image
                      4 x (convolution of 3 x 3 / 2, batch norm, ReLU, dropout) -> mean over time       [B, 128 * 4]
                      beside them: maximum of 4, linear 64, 2 Transformer layers (4 heads, 256 hidden)
                      [B, 35, 64] -> mean over time [B, 64]; both joined                                [B, 576]
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
from undertone_models.networks.published.fronted import Fronted
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

    join: int = 8
    """Frames whose mean the LSTM hears as one, 42 ms."""
    hidden: int = 128
    layers: int = 2
    attention: int = 128


@dataclass(frozen=True)
class CnnTransformerSettings(FeatureSettings):
    """Published with both features."""

    dropout: float = 0.1
    filters: tuple[int, ...] = (32, 64, 96, 128)
    join: int = 4
    """Frames whose mean the convolutions hear as one, 21 ms; and of those, ones whose maximum the Transformer hears."""
    width: int = 64
    attention_heads: int = 4
    hidden: int = 256
    layers: int = 2


class _Featured(Fronted):
    """Hears mel bands or MFCC, each scaled by its mean and deviation over the training set."""

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        front = mel_or_mfcc(settings.features, settings.mel, settings.coefficients)
        self.front = front
        self.width = front.width
        self.scale = nn.BatchNorm1d(front.width, affine=False)

    def scaled(self, heard: Tensor) -> Tensor:
        """Features f32[B, T, width] -> f32[B, width, T]."""
        scaled: Tensor = self.scale(heard.transpose(1, 2))
        return scaled


class Cnn1d(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: Cnn1dSettings, classes: Classes) -> None:
        super().__init__(settings)
        self.convolutions = _convolutions((self.width, *settings.filters), 5, settings.dropout)
        self.heads = Heads(settings.filters[-1], classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = self.heads(self.convolutions(self.scaled(heard)).mean(dim=2))
        return answers


class BilstmAttention(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: BilstmAttentionSettings, classes: Classes) -> None:
        super().__init__(settings)
        self.shorten = nn.AvgPool1d(settings.join)
        self.lstm = nn.LSTM(
            self.width, settings.hidden, settings.layers, batch_first=True, bidirectional=True
        )
        self.attention = SelfAttention(2 * settings.hidden, settings.attention)
        self.dropout = nn.Dropout(settings.dropout)
        self.heads = Heads(2 * settings.hidden, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        frames, _ = self.lstm(self.shorten(self.scaled(heard)).transpose(1, 2))
        answers: dict[str, Tensor] = self.heads(self.dropout(self.attention(frames)))
        return answers


class CnnTransformer(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: CnnTransformerSettings, classes: Classes) -> None:
        super().__init__(settings)
        self.shorten = nn.AvgPool1d(settings.join)
        layers: list[nn.Module] = []
        bands = self.width
        for inputs, outputs in pairwise((1, *settings.filters)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
            ]
            layers += [nn.ReLU(), nn.Dropout2d(settings.dropout)]
            bands = (bands + 1) // 2
        self.convolutions = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.shorten_again = nn.MaxPool1d(settings.join)
        self.project = nn.Linear(self.width, settings.width)
        layer = nn.TransformerEncoderLayer(
            settings.width, settings.attention_heads, settings.hidden, settings.dropout, batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.heads = Heads(settings.filters[-1] * bands + settings.width, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        features = self.shorten(self.scaled(heard))
        image = features.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        local = self.convolutions(image).mean(dim=3).flatten(1)
        frames = self.project(self.shorten_again(features).transpose(1, 2))
        whole = self.transformer(frames).mean(dim=1)
        answers: dict[str, Tensor] = self.heads(torch.cat([local, whole], dim=1))
        return answers


def _convolutions(widths: tuple[int, ...], kernel: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, bias=False)]
        layers += [nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(4), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
