"""The streaming network: a causal frame encoder, additive attentive statistics, one head for each task.

What it is: each active 100 ms step of a channel goes through the encoder once; attention with bounded,
unnormalised weights turns the step's frames into sums that add up over any stretch of time (after attentive
statistics pooling, Okabe et al. 2018, without the softmax over time); heads read the sums of a window, an
utterance or a call. Shapes, for a batch of B streams and T steps each:

    samples  [B, T, 1600]  ->  mel power [B, T * 10, 80]  ->  two views [B, 2, T * 10, 80]
    stem: two causal convolutions, to 50 ms frames and a quarter of the bands      [B, T * 2, 1280] -> [B, T * 2, 320]
    blocks: depthwise causal convolution over time, norm, 320 -> hidden -> 320     [B, T * 2, 320]
    speech: one logit a frame, is this speech at all                               [B, T * 2]
    pools: one for each task: projection, norm, score; w = mask * speech * exp(3 tanh score)
    statistics of a step: for each pool [sum w, sum w h, sum w h^2], then sum mask * speech   [B, T, D]

Wide frames of 50 ms cost less than narrow ones of 20 ms with as many parameters: most of the work grows with the
number of frames (models/EXPERIMENTS.md has the comparison).

Compromises: no look-ahead beyond the step; no normalisation over time in the encoder (a LayerNorm on each frame),
so that nothing depends on batch or length; the caches restart with every utterance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_models.networks.logmel import BANDS, CONTEXT, FRAMES, NORMALISER_SIZE, STEP, LogMel, Normaliser

MASK_FRAMES = 5
"""Frames of the speech mask in a step: 20 ms each."""
FRAMES_PER_STEP = 2
"""Frames of the network in a step: 50 ms each."""
VARIANCE_FLOOR = 1e-4
SCORE_BOUND = 3.0
AGE_BINS = torch.arange(8.0, 90.0, 2.0)


@dataclass(frozen=True)
class StreamingSettings:
    """Sizes of the network; ``dilations`` gives one block each."""

    stem_channels: tuple[int, int] = (32, 64)
    width: int = 320
    hidden: int = 384
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 1, 1, 1, 2, 2)
    emotion_pool: int = 192
    gender_pool: int = 64
    age_pool: int = 128
    voiceprint_pool: int = 256
    voiceprint: int = 192
    emotions: int = 9
    head: int = 192
    dropout: float = 0.2

    def pools(self) -> dict[str, int]:
        """Return the width of each pool, in the order of the statistics."""
        return {
            "emotion": self.emotion_pool,
            "gender": self.gender_pool,
            "age": self.age_pool,
            "voiceprint": self.voiceprint_pool,
        }


class Stem(nn.Module):
    """Two views of the spectrum f32[B, T * 10, 2, 80] -> f32[B, T * 2, width].

    Caches: the last two frames of the views, the last two of the first convolution's output.
    """

    def __init__(self, settings: StreamingSettings) -> None:
        super().__init__()
        first, second = settings.stem_channels
        # Seven frames, five apart: two of the past and the five that become one.
        self.first = nn.Conv2d(2, first, (7, 3), stride=(FRAMES // FRAMES_PER_STEP, 2), padding=(0, 1))
        self.second = nn.Conv2d(first, second, 3, stride=(1, 2), padding=(0, 1))
        self.project = nn.Linear(second * BANDS // 4, settings.width)
        self.norm = nn.LayerNorm(settings.width)
        self.cache_shapes = ((2, 2, BANDS), (first, 2, BANDS // 2))

    def forward(self, views: Tensor, caches: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        x = torch.cat([caches[0], views.transpose(1, 2)], dim=2)
        y = torch.cat([caches[1], functional.relu(self.first(x))], dim=2)
        z = functional.relu(self.second(y)).transpose(1, 2).flatten(2)
        return self.norm(self.project(z)), [x[:, :, -2:], y[:, :, -2:]]


class Block(nn.Module):
    """Residual block on f32[B, T, width]; after ConvNeXt (Liu et al. 2022), causal, with ReLU."""

    def __init__(self, settings: StreamingSettings, dilation: int) -> None:
        super().__init__()
        width = settings.width
        self.dilation = dilation
        self.span = (settings.kernel - 1) * dilation
        self.taps = nn.Parameter(torch.randn(settings.kernel, width) / settings.kernel**0.5)
        self.bias: Tensor = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, settings.hidden)
        self.narrow = nn.Linear(settings.hidden, width)
        self.cache_shapes = ((self.span, width),)
        nn.init.normal_(self.narrow.weight, std=0.02)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, x: Tensor, caches: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        padded = torch.cat([caches[0], x], dim=1)
        y = self.narrow(functional.relu(self.widen(self.norm(self._convolve(padded)))))
        return x + y, [padded[:, -self.span :]]

    def _convolve(self, padded: Tensor) -> Tensor:
        """Depthwise convolution as a sum over taps: as quick in training, far quicker on few frames."""
        frames = padded.shape[1] - self.span
        y = self.bias
        for tap, weight in enumerate(self.taps):
            start = tap * self.dilation
            y = y + weight * padded[:, start : start + frames]
        return y


class Pool(nn.Module):
    """Attention and projection of one task: f32[B, T, width] -> scores f32[B, T], vectors f32[B, T, size]."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, size)
        self.norm = nn.LayerNorm(size)
        self.score = nn.Linear(size, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.norm(self.project(x))
        return SCORE_BOUND * torch.tanh(self.score(vectors).squeeze(2) / SCORE_BOUND), vectors


class Encoder(nn.Module):
    """Features and caches to frames, and frames to statistics."""

    def __init__(self, settings: StreamingSettings) -> None:
        super().__init__()
        self.settings = settings
        self.logmel = LogMel()
        self.normaliser = Normaliser()
        self.mask: nn.Module = nn.Identity()
        """What hides parts of the views in training."""
        self.stem = Stem(settings)
        self.blocks = nn.ModuleList(Block(settings, dilation) for dilation in settings.dilations)
        self.norm = nn.LayerNorm(settings.width)
        self.speech = nn.Linear(settings.width, 1)
        self.pools = nn.ModuleDict({name: Pool(settings.width, n) for name, n in settings.pools().items()})
        self.layers: list[Stem | Block] = [self.stem, *self.blocks]
        self.cache_shapes = [shape for layer in self.layers for shape in layer.cache_shapes]
        self.state_size = NORMALISER_SIZE + CONTEXT + sum(torch.Size(s).numel() for s in self.cache_shapes)
        self.overlap: Tensor
        self.register_buffer("overlap", mask_overlap(), persistent=False)
        self.statistics_size = sum(1 + 2 * size for size in settings.pools().values()) + 1

    def frames(self, views: Tensor, caches: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Views f32[B, T * 10, 2, 80] -> frames f32[B, T * 2, width], speech logits f32[B, T * 2], caches."""
        x, after = self.stem(views, caches[:2])
        for block, cache in zip(self.blocks, caches[2:], strict=True):
            x, new = block(x, [cache])
            after += new
        x = self.norm(x)
        return x, self.speech(x).squeeze(2), after

    def empty_caches(self, batch: int) -> list[Tensor]:
        """Return the caches at an utterance's start."""
        weight = self.speech.weight
        return [weight.new_zeros((batch, *shape)) for shape in self.cache_shapes]

    def statistics(self, frames: Tensor, logits: Tensor, mask: Tensor) -> Tensor:
        """Frames f32[B, T * 2, width], logits f32[B, T * 2], mask f32[B, T, 5] -> step statistics f32[B, T, D]."""
        # The tasks weigh by the speech output but do not train it: it would cease to mean speech.
        speech = self.masked(mask).flatten(1) * torch.sigmoid(logits.detach())
        parts = []
        for pool in self.pools.values():
            score, vectors = pool(frames)
            weight = (speech * torch.exp(score)).unsqueeze(2)
            weighted = weight * vectors
            parts += [weight, weighted, weighted * vectors]
        parts.append(speech.unsqueeze(2))
        joined = torch.cat(parts, dim=2)
        steps = joined.reshape(joined.shape[0], -1, FRAMES_PER_STEP, joined.shape[2])
        return steps.sum(dim=2)

    def masked(self, mask: Tensor) -> Tensor:
        """Mask f32[..., 5] of 20 ms frames -> f32[..., 2], how many of them lie in each of the network's frames."""
        return mask @ self.overlap

    def forward(self, samples: Tensor, speech: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Serve one step: samples f32[B, 1600], speech f32[B, 5], state f32[B, S] -> statistics f32[B, D], state.

        The state is one flat vector: normaliser first (it survives silence), then sample context and caches
        (zeroed before the first step of an utterance).
        """
        sizes = [NORMALISER_SIZE, CONTEXT] + [torch.Size(s).numel() for s in self.cache_shapes]
        normaliser, context, *flat = torch.split(state, sizes, dim=1)
        caches = [c.reshape(-1, *shape) for c, shape in zip(flat, self.cache_shapes, strict=True)]
        heard = torch.cat([context, samples], dim=1)
        views, normaliser = self.normaliser(self.logmel(heard), speech, normaliser)
        frames, logits, caches = self.frames(views, caches)
        statistics = self.statistics(frames, logits, speech.unsqueeze(1))[:, 0]
        after = torch.cat([normaliser, heard[:, STEP:], *(c.flatten(1) for c in caches)], dim=1)
        return statistics, after


class Heads(nn.Module):
    """Moments f32[B, D] -> task outputs. See ``moments`` for the layout."""

    def __init__(self, settings: StreamingSettings) -> None:
        super().__init__()
        self.settings = settings
        sizes = settings.pools()
        voice = 2 * sizes["voiceprint"]
        self.emotion = _perceptron(
            2 * sizes["emotion"] + 2 * sizes["gender"], settings.head, settings.emotions, settings.dropout
        )
        self.gender = _perceptron(2 * sizes["gender"], 64, 2, settings.dropout)
        self.age = _perceptron(2 * sizes["age"] + voice, settings.head, len(AGE_BINS), settings.dropout)
        self.voiceprint = nn.Sequential(nn.LayerNorm(voice), nn.Linear(voice, settings.voiceprint))
        self.age_bins: Tensor
        self.register_buffer("age_bins", AGE_BINS.clone(), persistent=False)

    def logits(self, moments: Tensor) -> dict[str, Tensor]:
        """Return emotion f32[B, 9], gender f32[B, 2], age f32[B, bins] logits, voiceprint f32[B, V] (unit)."""
        pooled = {}
        start = 0
        for name, size in self.settings.pools().items():
            mean, variance = torch.split(moments[:, start + 1 : start + 1 + 2 * size], size, dim=1)
            pooled[name] = torch.cat([mean, torch.sqrt(variance)], dim=1)
            start += 1 + 2 * size
        return {
            # Anger of a woman and of a man sound different: the head knows whom it hears.
            "emotion": self.emotion(torch.cat([pooled["emotion"], pooled["gender"]], dim=1)),
            "gender": self.gender(pooled["gender"]),
            "age": self.age(torch.cat([pooled["age"], pooled["voiceprint"]], dim=1)),
            "voiceprint": functional.normalize(self.voiceprint(pooled["voiceprint"]), dim=1),
        }

    def forward(self, moments: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return emotion and gender probabilities, age f32[B] in years, voiceprint f32[B, V] (unit length)."""
        logits = self.logits(moments)
        age = (torch.softmax(logits["age"], dim=1) * self.age_bins).sum(dim=1)
        emotion, gender = (torch.softmax(logits[name], dim=1) for name in ("emotion", "gender"))
        return emotion, gender, age, logits["voiceprint"]


class StreamingNetwork(nn.Module):
    """Encoder and heads, trained as one."""

    def __init__(self, settings: StreamingSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.heads = Heads(settings)


def moments(sums: Tensor, sizes: dict[str, int]) -> Tensor:
    """Turn summed statistics f[B, D] into moments of the same layout: log sum w, mean, variance.

    The sum over w must be above 0 wherever the answer is used.
    """
    parts = []
    start = 0
    for size in sizes.values():
        weight, first, second = torch.split(sums[:, start : start + 1 + 2 * size], [1, size, size], dim=1)
        weight = torch.clamp(weight, min=1e-6)
        mean = first / weight
        parts += [torch.log(weight), mean, torch.clamp(second / weight - mean * mean, min=VARIANCE_FLOOR)]
        start += 1 + 2 * size
    return torch.cat([*parts, sums[:, start:]], dim=1)


def mask_overlap() -> Tensor:
    """Return f32[5, 2]: the part of each frame of the mask that lies in each frame of the network."""
    fine = torch.eye(FRAMES_PER_STEP).repeat_interleave(MASK_FRAMES, dim=0)
    return fine.reshape(MASK_FRAMES, FRAMES_PER_STEP, FRAMES_PER_STEP).mean(dim=1)


def _perceptron(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(inputs),
        nn.Dropout(dropout),
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )
