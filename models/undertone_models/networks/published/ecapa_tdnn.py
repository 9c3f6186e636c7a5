"""ECAPA-TDNN (Desplanques et al. 2020, figure 2): voiceprints for verification by cosine.

Shapes, with C = 512 or 1024 channels and T frames (10 ms; 301 in 3 s):

    samples [B, N] -> 80 mel bands in dB, the clip's mean of each band removed    [B, 80, T]
    convolution of 5, ReLU, batch norm                                            [B, C, T]
    3 SE-Res2 blocks, dilated by 2, 3 and 4; each reads the sum of all before it  [B, C, T]
    the three joined, every third frame of them, convolution of 1, ReLU           [B, 1536, T / 3]
    attentive statistics: weights for each channel, from the frame and the clip   [B, 3072]
    batch norm, linear, batch norm: the voiceprint                                [B, 192]
    cosine with each speaker's centre (training only, for an additive margin)     [B, S]

Compromises: mel bands in place of the paper's 80 MFCC, of which they are a rotation; only every third frame is joined
and pooled, half of the work for statistics that say the same, since neighbours share their context. What a clip is
padded with counts to no mean. In PyTorch N may differ from ``window_samples``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_models.networks.published.front_ends import MelSettings, MelSpectrogram
from undertone_models.networks.published.heads import Classes
from undertone_models.networks.published.padding import HeardFeatures
from undertone_models.networks.published.pooling import mean_and_deviation, time_weights

MEL = MelSettings(window=400, hop=160, fft=512, shape="hamming", bands=80, lowest=20.0, highest=7600.0)
_POOLED_EVERY = 3
"""Frames from one that is pooled to the next."""


@dataclass(frozen=True)
class EcapaSettings:
    """Sizes of the network; the paper has 512 and 1024 channels."""

    window_samples: int = 48000
    mel: MelSettings = MEL
    channels: int = 512
    scale: int = 8
    """Parts of a Res2 convolution."""
    dilations: tuple[int, ...] = (2, 3, 4)
    bottleneck: int = 128
    """Of squeeze and excitation, and of the attention."""
    pooled: int = 1536
    voiceprint: int = 192


class Layer(nn.Sequential):
    """Convolution over time, ReLU, batch norm; f32[B, inputs, T] -> f32[B, outputs, T]."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=padding),
            nn.ReLU(),
            nn.BatchNorm1d(outputs),
        )


class Res2(nn.Module):
    """Convolution in parts, each of which hears the part before it (Gao et al. 2019); f32[B, C, T]."""

    def __init__(self, channels: int, scale: int, dilation: int) -> None:
        super().__init__()
        part = channels // scale
        self.layers = nn.ModuleList(Layer(part, part, 3, dilation) for _ in range(scale - 1))

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = x.chunk(len(self.layers) + 1, dim=1)
        done = [first, self.layers[0](rest[0])]
        for part, layer in zip(rest[1:], self.layers[1:], strict=True):
            done.append(layer(part + done[-1]))
        return torch.cat(done, dim=1)


class SqueezeExcitation(nn.Module):
    """Weigh channels f32[B, C, T] by what of the clip is heard, f32[B, 1, T] (Hu et al. 2018)."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, bottleneck)
        self.excite = nn.Linear(bottleneck, channels)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        mean = (x @ time_weights(heard).transpose(1, 2)).squeeze(2)
        weights = torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))
        return x * weights.unsqueeze(2)


class Block(nn.Module):
    """SE-Res2 block on f32[B, C, T], of which f32[B, 1, T] is heard."""

    def __init__(self, settings: EcapaSettings, dilation: int) -> None:
        super().__init__()
        channels = settings.channels
        self.layers = nn.Sequential(
            Layer(channels, channels), Res2(channels, settings.scale, dilation), Layer(channels, channels)
        )
        self.weigh = SqueezeExcitation(channels, settings.bottleneck)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        weighed: Tensor = self.weigh(self.layers(x), heard)
        return weighed


class AttentiveStatistics(nn.Module):
    """Weighed mean and deviation of each channel f32[B, C, T], as far as it is heard, f32[B, 1, T]; f32[B, 2 C]."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        # One layer on frame and clip joined, as the paper has it; the clip's part is the same for all its frames.
        self.frame = nn.Conv1d(channels, hidden, 1)
        self.clip = nn.Linear(2 * channels, hidden, bias=False)
        self.scores = nn.Conv1d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        even = time_weights(heard)
        context = self.frame(x) + self.clip(mean_and_deviation(x, even)).unsqueeze(2)
        scores = self.scores(torch.tanh(context)) + torch.log(even)
        return mean_and_deviation(x, torch.softmax(scores, dim=2))


class EcapaTdnn(nn.Module):
    """Samples f32[B, N] -> ``voiceprint`` f32[B, 192]; with ``classes.speakers``, ``speaker`` cosines f32[B, S]."""

    def __init__(self, settings: EcapaSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        channels, pooled = settings.channels, settings.pooled
        self.front = HeardFeatures(MelSpectrogram(settings.mel))
        self.first = Layer(settings.mel.bands, channels, 5)
        self.blocks = nn.ModuleList(Block(settings, dilation) for dilation in settings.dilations)
        self.join = nn.Sequential(nn.Conv1d(len(self.blocks) * channels, pooled, 1), nn.ReLU())
        self.pool = AttentiveStatistics(pooled, settings.bottleneck)
        self.embed = nn.Sequential(
            nn.BatchNorm1d(2 * pooled),
            nn.Linear(2 * pooled, settings.voiceprint, bias=False),
            nn.BatchNorm1d(settings.voiceprint),
        )
        centres = torch.randn(classes.speakers, settings.voiceprint) / settings.voiceprint**0.5
        self.centres = nn.Parameter(centres) if classes.speakers else None

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        features = self.front(samples).transpose(1, 2)
        mel, heard = features[:, :-1], features[:, -1:]
        total = self.first(mel - mel.mean(dim=2, keepdim=True))
        outputs = []
        for block in self.blocks:
            outputs.append(block(total, heard) + total)
            total = total + outputs[-1]
        joined = self.join(torch.cat(outputs, dim=1)[:, :, ::_POOLED_EVERY])
        voiceprint = self.embed(self.pool(joined, heard[:, :, ::_POOLED_EVERY]))
        answers = {"voiceprint": voiceprint}
        if self.centres is not None:
            unit = functional.normalize(voiceprint, dim=1)
            answers["speaker"] = unit @ functional.normalize(self.centres, dim=1).T
        return answers
