"""VGGVox with two outputs, emotion and speaker identity together (CREMA-D; after Nagrani et al. 2017).

Shapes, frequency by time, for 4 s:

    samples [B, 64000] -> spectrum in dB, less its mean and by its deviation over the clip   [B, 1, 512, 400]
    conv1 7 x 7 / 2, pool 3 x 3 / 2          [B, 96, 126, 98]
    conv2 5 x 5 / 2, pool 3 x 3 / 2          [B, 256, 30, 23]
    conv3, conv4, conv5 3 x 3                [B, 256, 30, 23]
    pool 5 x 3 / (3, 2)                      [B, 256, 9, 11]
    fc6 9 x 1                                [B, 4096, 1, 11]
    mean over time, fc7: the voiceprint      [B, 1024]
    linear outputs: emotion (6), speaker (91, training only)

Every convolution and fc7 is followed by batch norm and ReLU, as in VGGVox. Frames are 25 ms every 10 ms, Hamming, FFT
1024: of its 513 bins the last is left out, and so is the last of 401 frames. About 3.5 G multiply-adds a clip. Where
the source is silent or ambiguous: the voiceprint is what both outputs read; the spectrum is in dB, no more than 80
under the loudest, and "mean and variance normalised" over the clip as a whole (frequency by frequency, and without dB,
it learns far more slowly). Frames of zeros, which a short clip is padded with, count neither to mean and deviation nor
to the mean over time. In PyTorch N may be any number of samples from a second up, so that training may cut shorter.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_models.networks.published.front_ends import Spectrogram, SpectrogramSettings, decibels
from undertone_models.networks.published.heads import Classes, Heads

SPECTROGRAM = SpectrogramSettings(window=400, hop=160, fft=1024, shape="hamming", centred=True)
_SMALL = 1e-5
_DYNAMICS = 80.0  # decibels under the loudest that nothing falls below


@dataclass(frozen=True)
class VggvoxSettings:
    """Sizes of the network."""

    window_samples: int = 64000
    channels: tuple[int, int, int, int, int] = (96, 256, 256, 256, 256)
    fc6: int = 4096
    fc7: int = 1024


class Vggvox(nn.Module):
    """Samples f32[B, N] -> ``voiceprint`` f32[B, 1024] and what ``classes`` asks for."""

    def __init__(self, settings: VggvoxSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.spectrogram = Spectrogram(SPECTROGRAM)
        first, second, third, fourth, fifth = settings.channels
        self.convolutions = nn.Sequential(
            *_layer(1, first, (7, 7), stride=2, padding=1),
            nn.MaxPool2d(3, stride=2),
            *_layer(first, second, (5, 5), stride=2, padding=1),
            nn.MaxPool2d(3, stride=2),
            *_layer(second, third, (3, 3), padding=1),
            *_layer(third, fourth, (3, 3), padding=1),
            *_layer(fourth, fifth, (3, 3), padding=1),
            nn.MaxPool2d((5, 3), stride=(3, 2)),
        )
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # trains faster by half
        # A convolution over all 9 rows that are left; as a product it trains far faster.
        self.fc6 = nn.Linear(9 * fifth, settings.fc6, bias=False)
        self.fc6_norm = nn.BatchNorm1d(settings.fc6)
        self.fc7 = nn.Sequential(
            nn.Linear(settings.fc6, settings.fc7, bias=False), nn.BatchNorm1d(settings.fc7), nn.ReLU()
        )
        self.heads = Heads(settings.fc7, classes)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        power = self.spectrogram(samples)[:, :-1, :-1]
        heard = (power.amax(dim=2) > 0).to(power.dtype)
        image = _standardised(decibels(power), heard).transpose(1, 2).unsqueeze(1)
        rows = self.convolutions(image.contiguous(memory_format=torch.channels_last))
        columns = self.fc6(rows.permute(0, 3, 1, 2).flatten(2)).transpose(1, 2)
        columns = functional.relu(self.fc6_norm(columns))
        weights = functional.adaptive_avg_pool1d(heard.unsqueeze(1), columns.shape[2]) + _SMALL
        voiceprint = self.fc7((columns * weights).sum(dim=2) / weights.sum(dim=2))
        return {"voiceprint": voiceprint, **self.heads(voiceprint)}


def _standardised(spectrum: Tensor, heard: Tensor) -> Tensor:
    """Take mean and deviation over the frames heard out of decibels f32[B, T, F]; the other frames become 0."""
    spectrum = torch.maximum(spectrum, spectrum.amax(dim=(1, 2), keepdim=True) - _DYNAMICS)
    heard = heard.unsqueeze(2)
    weights = heard / torch.clamp(heard.sum(dim=1, keepdim=True), min=1) / spectrum.shape[2]
    centred = (spectrum - (weights * spectrum).sum(dim=(1, 2), keepdim=True)) * heard
    deviation = (weights * centred * centred).sum(dim=(1, 2), keepdim=True).sqrt()
    return centred / (deviation + _SMALL)


def _layer(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: int = 1, padding: int = 0
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
