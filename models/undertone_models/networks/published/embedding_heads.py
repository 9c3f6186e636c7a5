"""Small networks on a frozen encoder's frame vectors (Russian Common Voice study; after Pepino et al. 2021).

Shapes, for any encoder with T frames of width D:

    embedding-linear: [B, T, D] -> 2 x (linear 128, ReLU, dropout 0.5) -> mean over time [B, 128] -> outputs
    embedding-lstm:   [B, T, D] -> linear 128, ReLU, dropout 0.5 -> 2 bidirectional LSTMs of 64 [B, T, 128]
                      -> ReLU, dropout 0.5 -> mean over time [B, 128] -> outputs

Where the source is silent: layers work on each frame and the mean is taken last, as Pepino does; a clip is 4 s. The
source's two boxes are swapped against their titles; the titles are followed.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from undertone_models.networks.published.encoders import FrameEncoder
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes, Heads


@dataclass(frozen=True)
class EmbeddingSettings:
    """Sizes of either network; ``lstm`` is the hidden size of each direction."""

    window_samples: int = 64000
    width: int = 128
    dropout: float = 0.5
    lstm: int = 64
    lstm_layers: int = 2


class EmbeddingLinear(Fronted):
    """Samples f32[B, N] -> what ``classes`` asks for."""

    def __init__(self, settings: EmbeddingSettings, classes: Classes, encoder: FrameEncoder) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.front = encoder
        self.layers = nn.Sequential(*_layer(encoder.width, settings), *_layer(settings.width, settings))
        self.heads = Heads(settings.width, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = self.heads(self.layers(heard).mean(dim=1))
        return answers


class EmbeddingLstm(Fronted):
    """Samples f32[B, N] -> what ``classes`` asks for."""

    def __init__(self, settings: EmbeddingSettings, classes: Classes, encoder: FrameEncoder) -> None:
        super().__init__()
        self.window_samples = settings.window_samples
        self.front = encoder
        self.layer = nn.Sequential(*_layer(encoder.width, settings))
        self.lstm = nn.LSTM(
            settings.width, settings.lstm, settings.lstm_layers, batch_first=True, bidirectional=True
        )
        self.after = nn.Sequential(nn.ReLU(), nn.Dropout(settings.dropout))
        self.heads = Heads(2 * settings.lstm, classes)

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        frames, _ = self.lstm(self.layer(heard))
        answers: dict[str, Tensor] = self.heads(self.after(frames).mean(dim=1))
        return answers


def _layer(inputs: int, settings: EmbeddingSettings) -> list[nn.Module]:
    return [nn.Linear(inputs, settings.width), nn.ReLU(), nn.Dropout(settings.dropout)]
