"""What a team would write today, to measure the engine against: a network for each question, run over every window.

    window [B, 48000] ─ ECAPA-TDNN, 1024 channels ──────────────────────────────── voiceprint [B, 192]
                      └ waveform standardised ─ wav2vec 2.0 base ─ mean over time [B, 768]
                                                     └ linear heads: emotion [B, 9], gender [B, 2], age [B]

ECAPA-TDNN is the project's own, which pools every third frame: about half the work of the usual one, so that the
comparison errs in the peer's favour. Neither network can be run on a part of a window, so that overlapping windows
share nothing. Weights are random: speed does not depend on them. ``diart`` batches such pipelines over streams; here
that is a batch of windows.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from undertone_models.networks.published.ecapa_tdnn import EcapaSettings, EcapaTdnn
from undertone_models.networks.published.front_ends import standardised
from undertone_models.networks.published.heads import Classes, Heads
from undertone_service.protocol.labels import EMOTIONS, GENDERS


@dataclass(frozen=True)
class PeerSettings:
    """Sizes of both networks: as published, unless a test wants smaller ones."""

    ecapa: EcapaSettings = field(default_factory=lambda: EcapaSettings(channels=1024))
    wav2vec2: Wav2Vec2Config = field(default_factory=Wav2Vec2Config)


class PeerPipeline(nn.Module):
    """Windows f32[B, N] at 16 kHz -> ``voiceprint``, ``emotion``, ``gender`` and ``age``."""

    def __init__(self, settings: PeerSettings) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.voice = EcapaTdnn(settings.ecapa, Classes())
        self.encoder = Wav2Vec2Model(settings.wav2vec2)
        classes = Classes(emotions=len(EMOTIONS), genders=len(GENDERS), years=True)
        self.heads = Heads(settings.wav2vec2.hidden_size, classes)

    def forward(self, windows: Tensor) -> dict[str, Tensor]:
        frames: Tensor = self.encoder(standardised(windows, (1,))).last_hidden_state
        answers: dict[str, Tensor] = self.voice(windows) | self.heads(frames.mean(dim=1))
        return answers
