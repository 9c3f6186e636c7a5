"""CNN, bidirectional LSTM and self-attention with three outputs (Russian Common Voice study; Li, Zhao, Kawahara 2019).

Shapes, with the published dimensions and 4 s:

    samples [B, 64000] -> mel [B, 182, 128], normalised over the clip -> [B, 128, 182]
    3 x (convolution of 3, 64 / 128 / 256 filters; ReLU; maximum of 2, stride 1)      [B, 256, 179]
    bidirectional LSTM of 64, dropout 0.5                                             [B, 179, 128]
    self-attention, hidden 512, 16 heads                                              [B, 2048]
    linear outputs: emotion (6), gender (2), age band (5)

Where the source is silent: the convolutions run over time with the bands as channels ("window 3" is one number, and
pools of stride 1 on a plane would leave 32,000 inputs to the LSTM); the mel spectrum is in dB, no more than 80 under
the clip's loudest; 22 ms frames follow one another, with an FFT of 1024, so that the lowest of 128 bands do not share a
bin; a clip is 4 s, and what it is padded with is at its mean.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from undertone_models.networks.published.front_ends import (
    ClipNormaliser,
    MelSettings,
    MelSpectrogram,
    Normalisation,
)
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads
from undertone_models.networks.published.padding import HeardFeatures
from undertone_models.networks.published.pooling import SelfAttention

MEL = MelSettings(
    window=352, hop=352, fft=1024, shape="hann", bands=128, lowest=1.0, highest=8162.0, dynamics=80.0
)


@dataclass(frozen=True)
class CnnBlstmAttentionSettings:
    """Sizes of the network."""

    window_samples: int = 64000
    mel: MelSettings = MEL
    normalisation: Normalisation = "standardise"
    filters: tuple[int, ...] = (64, 128, 256)
    hidden: int = 64
    dropout: float = 0.5
    attention: int = 512
    attention_heads: int = 16


class CnnBlstmAttention(Fronted):
    """Samples f32[B, N] -> what ``classes`` asks for."""

    marks = 1

    def __init__(self, settings: CnnBlstmAttentionSettings, classes: Classes) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.front = HeardFeatures(MelSpectrogram(settings.mel))
        self.normaliser = ClipNormaliser(settings.normalisation)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((settings.mel.bands, *settings.filters)):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2, stride=1)]
        self.convolutions = nn.Sequential(*layers)
        self.lstm = nn.LSTM(settings.filters[-1], settings.hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.attention = SelfAttention(2 * settings.hidden, settings.attention, settings.attention_heads)
        self.heads = Heads(settings.attention_heads * 2 * settings.hidden, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        mel = self.normaliser(heard[:, :, :-1])
        frames = self.convolutions(mel.transpose(1, 2)).transpose(1, 2)
        answers: dict[str, Tensor] = self.heads(self.attention(self.dropout(self.lstm(frames)[0])))
        return answers
