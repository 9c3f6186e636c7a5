"""The x-vector network (Snyder et al. 2018, table 1): a voiceprint from a TDNN that tells speakers apart.

Shapes, with T frames (10 ms; 301 in 3 s), of which the convolutions use 14 up:

    samples [B, N] -> 24 mel bands in dB, the clip's mean of each band removed   [B, 24, T]
    frame layers 1 to 5: contexts 5, 3 (every second), 3 (every third), 1, 1     [B, 512 .. 512, 1500, (T - 14) / 3]
    mean and deviation over time                                                 [B, 3000]
    segment layer 6, linear: the voiceprint                                      [B, 512]
    ReLU, segment layer 7, speakers (training only)                              [B, S]

Each layer is convolution or linear, ReLU, batch norm. Compromises: the bands' means are those of the whole clip, not of
3 s round each frame; only every third frame is pooled. Neighbours share 13 of 15 frames of context, so their statistics
say the same, and since layer 3 reads every third frame of layer 2, all from there on costs a third, with the layers
unchanged. What a clip is padded with counts neither to the bands' means nor to the statistics. In PyTorch N may differ
from ``window_samples``.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from undertone_models.networks.published.front_ends import MelSettings, MelSpectrogram
from undertone_models.networks.published.heads import Classes
from undertone_models.networks.published.padding import HeardFeatures
from undertone_models.networks.published.pooling import statistics

MEL = MelSettings(window=400, hop=160, fft=512, shape="hamming", bands=24, lowest=20.0, highest=7600.0)
CONTEXTS = ((5, 1, 1), (3, 2, 3), (3, 1, 1), (1, 1, 1), (1, 1, 1))
"""Taps, dilation and stride of each frame layer; past the stride, a dilation of 3 is one of 1."""


@dataclass(frozen=True)
class XVectorSettings:
    """Sizes of the network."""

    window_samples: int = 48000
    mel: MelSettings = MEL
    channels: tuple[int, int, int, int, int] = (512, 512, 512, 512, 1500)
    voiceprint: int = 512


class XVector(nn.Module):
    """Samples f32[B, N] -> ``voiceprint`` f32[B, 512]; with ``classes.speakers``, ``speaker`` logits f32[B, S]."""

    def __init__(self, settings: XVectorSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.front = HeardFeatures(MelSpectrogram(settings.mel))
        layers: list[nn.Module] = []
        widths = pairwise((settings.mel.bands, *settings.channels))
        for (inputs, outputs), (taps, dilation, stride) in zip(widths, CONTEXTS, strict=True):
            layers += [
                nn.Conv1d(inputs, outputs, taps, dilation=dilation, stride=stride),
                nn.ReLU(),
                nn.BatchNorm1d(outputs),
            ]
        self.frames = nn.Sequential(*layers)
        width = settings.voiceprint
        self.embed = nn.Linear(2 * settings.channels[-1], width)
        self.speakers = (
            nn.Sequential(
                *(nn.ReLU(), nn.BatchNorm1d(width), nn.Linear(width, width)),
                *(nn.ReLU(), nn.BatchNorm1d(width), nn.Linear(width, classes.speakers)),
            )
            if classes.speakers
            else None
        )

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        features = self.front(samples).transpose(1, 2)
        mel, heard = features[:, :-1], features[:, -1:]
        voiceprint = self.embed(statistics(self.frames(mel - mel.mean(dim=2, keepdim=True)), heard))
        answers = {"voiceprint": voiceprint}
        if self.speakers is not None:
            answers["speaker"] = self.speakers(voiceprint)
        return answers
