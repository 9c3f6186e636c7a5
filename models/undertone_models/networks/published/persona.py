"""PERSONA: emotion, gender and age from one vector that represents the clip, by shared layers.

Shapes, for a representation of D floats (MFCC 80, x-vector 512, WavLM base 768):

    samples [B, 48000] -> representation [B, D], scaled as in training -> [B, 1, D]
    persona-cnn: 2 x (convolution of 3 along D, ReLU, maximum of 2)   [B, 64, D / 4]; persona-fcn goes without
    linear 200, 128, 56, each with ReLU: shared                       [B, 56]
    linear outputs: emotion, gender, age in years

Where the source is silent: 32 and 64 filters; each float of the representation is scaled by its mean and deviation
over the training set (a batch norm without weights); MFCC stands for the mean and the standard deviation over time of
40 coefficients, of 25 ms every 10 ms; a clip is 3 s.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from undertone_models.networks.published.encoders import FrameEncoder, Frozen
from undertone_models.networks.published.front_ends import MelSettings, Mfcc
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads

MEL = MelSettings(window=400, hop=160, fft=512, shape="hann", bands=80)


class MfccStatistics(nn.Module):
    """Mean and deviation over time of MFCC: samples f32[B, N] -> f32[B, 2 * coefficients].

    Frames of which two thirds are zeros, which is what a window is padded with, do not count.
    """

    def __init__(self, settings: MelSettings = MEL, coefficients: int = 40) -> None:
        super().__init__()
        self.mfcc = Mfcc(settings, coefficients)
        self.width = 2 * coefficients

    def forward(self, samples: Tensor) -> Tensor:
        frames = self.mfcc.spectrogram.frames(samples)
        heard = ((frames != 0).to(frames.dtype).mean(dim=2, keepdim=True) > 1 / 3).to(frames.dtype)
        weights = heard / torch.clamp(heard.sum(dim=1, keepdim=True), min=1)
        coefficients = self.mfcc.of_power(self.mfcc.spectrogram.power(frames))
        mean = (weights * coefficients).sum(dim=1, keepdim=True)
        variance = (weights * (coefficients - mean) ** 2).sum(dim=1)
        return torch.cat([mean.squeeze(1), torch.sqrt(variance)], dim=1)


class Voiceprint(Frozen):
    """The voiceprint of a trained network (``XVector``, ``EcapaTdnn``): samples f32[B, N] -> f32[B, width]."""

    def forward(self, samples: Tensor) -> Tensor:
        voiceprint: Tensor = self.module(samples)["voiceprint"]
        return voiceprint


class FrameMean(Frozen):
    """The mean over time of a frozen encoder's frame vectors: samples f32[B, N] -> f32[B, width]."""

    def __init__(self, encoder: FrameEncoder) -> None:
        super().__init__(encoder, encoder.width)

    def forward(self, samples: Tensor) -> Tensor:
        mean: Tensor = self.module(samples).mean(dim=1)
        return mean


@dataclass(frozen=True)
class PersonaSettings:
    """Sizes of the network; no ``filters`` make it persona-fcn."""

    window_samples: int = 48000
    filters: tuple[int, ...] = (32, 64)
    dense: tuple[int, ...] = (200, 128, 56)


class Persona(Fronted):
    """Samples f32[B, N] -> what ``classes`` asks for."""

    def __init__(
        self,
        settings: PersonaSettings,
        classes: Classes,
        representation: MfccStatistics | Voiceprint | FrameMean,
    ) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.front = representation
        self.scale = nn.BatchNorm1d(representation.width, affine=False)
        layers: list[nn.Module] = []
        length = representation.width
        for inputs, outputs in pairwise((1, *settings.filters)):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2)]
            length //= 2
        layers.append(nn.Flatten())
        for inputs, outputs in pairwise((length * (1, *settings.filters)[-1], *settings.dense)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.shared = nn.Sequential(*layers)
        self.heads = Heads(settings.dense[-1], classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = self.heads(self.shared(self.scale(heard).unsqueeze(1)))
        return answers
