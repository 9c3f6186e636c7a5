"""Emotion from 3 s by one-dimensional convolutions, an LSTM or a Transformer (RAVDESS; three networks).

Shapes; F = 64 mel bands in dB or 13 MFCC:

    samples [B, 48000] -> features [B, 565, F], the mean of every 4 [B, 141, F], each scaled as in training
    cnn1d:            3 x (convolution of 5, batch norm, ReLU, maximum of 2)                [B, 128, 17]
    bilstm-attention: mean of 2, bidirectional LSTM of 96                                   [B, 192, 70]
    cnn-transformer:  the convolutions of cnn1d                                             [B, 128, 17]
                      beside them: mean of 4, linear 64, 2 Transformer layers (4 heads, 256 hidden) [B, 64, 35]
    mean and deviation over time of these, of the features, and of their differences; of the LSTM and its features
    weighed by soft attention                                                               [B, about 700]
    dropout, linear 256, ReLU, dropout, linear output: emotion

The published frames, 21.3 ms every 5.3 ms, are kept in time: 1024 and 256 samples at 48 kHz are 341 and 85 at 16 kHz,
and an FFT of 341 keeps the 47 Hz between bins. Where the source is silent: 64 bands (128 in 8 kHz would leave one
without a bin), no more than 80 dB under the clip's loudest, the sizes above, no positions for the Transformer (the
convolutions beside it know the order). What a clip is padded with is not heard. The statistics of the features
themselves, past all layers, are ours: 600 clips are too few to learn them by.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSettings, mel_or_mfcc
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads
from undertone_models.networks.published.padding import HeardFeatures
from undertone_models.networks.published.pooling import (
    SelfAttention,
    mean_and_deviation,
    own_statistics,
    statistics,
)

MEL = MelSettings(window=341, hop=85, fft=341, shape="hann", bands=64, dynamics=80.0)
JOINED = 4
"""Frames that count as one, 21 ms."""


@dataclass(frozen=True)
class FeatureSettings:
    """What all three networks hear."""

    window_samples: int = 48000
    features: Literal["mel", "mfcc"] = "mel"
    mel: MelSettings = MEL
    coefficients: int = 13
    dropout: float = 0.3
    """Of the statistics, and of what is made of them: earlier it would change the deviations."""
    dense: int = 256


@dataclass(frozen=True)
class Cnn1dSettings(FeatureSettings):
    """Published with MFCC."""

    features: Literal["mel", "mfcc"] = "mfcc"
    filters: tuple[int, ...] = (64, 128, 128)


@dataclass(frozen=True)
class BilstmAttentionSettings(FeatureSettings):
    """Published with both features."""

    hidden: int = 96
    attention: int = 64


@dataclass(frozen=True)
class CnnTransformerSettings(FeatureSettings):
    """Published with both features."""

    filters: tuple[int, ...] = (64, 128, 128)
    width: int = 64
    attention_heads: int = 4
    hidden: int = 256
    layers: int = 2


class _Featured(Fronted):
    """Hears features, each scaled by its mean and deviation over the training set, and answers from a summary."""

    marks = 1

    def __init__(self, settings: FeatureSettings, summary: int, classes: Classes) -> None:
        """Take the width of what a network adds to the features' own statistics."""
        super().__init__()
        self.window_samples = settings.window_samples
        front = HeardFeatures(mel_or_mfcc(settings.features, settings.mel, settings.coefficients), JOINED)
        self.front = front
        width = front.width
        self.scale = nn.BatchNorm1d(width, affine=False)
        self.scale_summary = nn.BatchNorm1d(summary, affine=False)
        dropout = nn.Dropout(settings.dropout)
        self.dense = nn.Sequential(dropout, nn.Linear(summary, settings.dense), nn.ReLU(), dropout)
        self.heads = Heads(settings.dense, classes)

    def scaled(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """What the front gives -> features f32[B, width, T], parts heard f32[B, 1, T]."""
        features = heard.transpose(1, 2)
        return self.scale(features[:, :-1]), features[:, -1:]

    def decide(self, parts: list[Tensor]) -> dict[str, Tensor]:
        """Statistics, each f32[B, S] -> what ``classes`` asks for."""
        answers: dict[str, Tensor] = self.heads(self.dense(self.scale_summary(torch.cat(parts, dim=1))))
        return answers


class Cnn1d(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: Cnn1dSettings, classes: Classes) -> None:
        width = _width(settings)
        super().__init__(settings, 4 * width + 2 * settings.filters[-1], classes)
        self.convolutions = _convolutions((width, *settings.filters))

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        features, parts = self.scaled(heard)
        return self.decide([own_statistics(features, parts), statistics(self.convolutions(features), parts)])


class BilstmAttention(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: BilstmAttentionSettings, classes: Classes) -> None:
        width = _width(settings)
        super().__init__(settings, 2 * (width + 2 * settings.hidden), classes)
        self.join = nn.AvgPool1d(2)
        self.lstm = nn.LSTM(width, settings.hidden, batch_first=True, bidirectional=True)
        self.attention = SelfAttention(2 * settings.hidden, settings.attention)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        features, parts = self.scaled(heard)
        features, parts = self.join(features).transpose(1, 2), self.join(parts).transpose(1, 2)
        states, _ = self.lstm(features)
        weights = self.attention.weights(states, parts).transpose(1, 2)
        return self.decide(
            [mean_and_deviation(torch.cat([states, features], dim=2).transpose(1, 2), weights)]
        )


class CnnTransformer(_Featured):
    """Samples f32[B, N] -> ``emotion`` logits f32[B, E]."""

    def __init__(self, settings: CnnTransformerSettings, classes: Classes) -> None:
        width = _width(settings)
        super().__init__(settings, 4 * width + 2 * settings.filters[-1] + 2 * settings.width, classes)
        self.convolutions = _convolutions((width, *settings.filters))
        self.join = nn.AvgPool1d(4)
        self.project = nn.Linear(width, settings.width)
        layer = nn.TransformerEncoderLayer(
            settings.width, settings.attention_heads, settings.hidden, dropout=0.0, batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        features, parts = self.scaled(heard)
        whole = self.transformer(self.project(self.join(features).transpose(1, 2))).transpose(1, 2)
        local = self.convolutions(features)
        return self.decide(
            [own_statistics(features, parts), statistics(local, parts), statistics(whole, parts)]
        )


def _width(settings: FeatureSettings) -> int:
    return settings.coefficients if settings.features == "mfcc" else settings.mel.bands


def _convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv1d(inputs, outputs, 5, padding=2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers.append(nn.MaxPool1d(2))
    return nn.Sequential(*layers)
