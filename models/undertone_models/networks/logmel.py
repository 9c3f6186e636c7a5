"""Log-mel features inside the graph, made level- and channel-robust causally.

Frames of 25 ms every 10 ms, Hamming window, 512-point spectrum, 80 triangular mel bands (HTK scale). Two things
differ from a textbook front end, both to be cheap and exact in a streaming graph:

* The window is symmetric round its centre (its first sample, which has no partner, is left out), so the power
  spectrum splits into a cosine part over x[c+k] + x[c-k] and a sine part over x[c+k] - x[c-k]: half the
  multiply-adds of a plain matrix DFT, and no DFT operator.
* A running level and a running spectral mean, updated once a step by speech frames only, make the features
  independent of gain (exactly) and less dependent of the channel. They belong to the channel and survive silence.
"""

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000
HOP = 160
WINDOW = 400
CONTEXT = WINDOW - HOP
SPECTRUM = 512
BANDS = 80
STEP = 1600
FRAMES = STEP // HOP

_POWER_FLOOR = 1e-10
_RELATIVE_FLOOR = 1e-4  # of the running level: noise far below speech says nothing
_MEMORY = 1000.0  # frames that the running means remember: 10 s
_PRIOR = 50.0  # frames that the corpus mean counts for before a channel is known
_SCALE = 2.5

NORMALISER_SIZE = 2 + BANDS
"""Floats of normaliser state: frames counted, level, spectral mean less the corpus mean."""


def mel_filters() -> Tensor:
    """Return the filter bank f32[257, 80], triangles of height 1 from 20 Hz to 8 kHz."""
    top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    bottom = 2595 * math.log10(1 + 20 / 700)
    corners = 700 * (10 ** (torch.linspace(bottom, top, BANDS + 2, dtype=torch.float64) / 2595) - 1)
    frequencies = torch.arange(SPECTRUM // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / SPECTRUM
    rising = (frequencies[:, None] - corners[None, :-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[None, 2:] - frequencies[:, None]) / (corners[2:] - corners[1:-1])
    # A band narrower than the spectrum's grid would be empty: every band reaches its nearest bin.
    width = SAMPLE_RATE / SPECTRUM / (corners[2:] - corners[:-2])
    floor = torch.clamp(
        1 - (frequencies[:, None] - corners[None, 1:-1]).abs() / (SAMPLE_RATE / SPECTRUM), min=0
    )
    filters = torch.maximum(torch.clamp(torch.minimum(rising, falling), min=0), floor * (width > 0.8))
    return filters.float()


class LogMel(nn.Module):
    """Mel power of 10 ms frames: samples f32[B, 240 + 160 n] -> f32[B, n, 80]."""

    def __init__(self) -> None:
        super().__init__()
        half = WINDOW // 2
        window = torch.hamming_window(WINDOW, periodic=True, dtype=torch.float64)
        lag = torch.arange(half, dtype=torch.float64)
        angle = 2 * math.pi / SPECTRUM * lag[:, None] * torch.arange(SPECTRUM // 2 + 1, dtype=torch.float64)
        weights = window[half : half + half, None]
        even = weights * torch.cos(angle)
        even[0] /= 2  # the centre sample is added to itself
        self.even: Tensor
        self.odd: Tensor
        self.filters: Tensor
        self.register_buffer("even", even.float(), persistent=False)
        self.register_buffer("odd", (weights * torch.sin(angle)).float(), persistent=False)
        self.register_buffer("filters", mel_filters(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(samples, (0, HOP - CONTEXT % HOP))
        hops = padded.reshape(padded.shape[0], -1, HOP)
        frames = torch.cat([hops[:, :-2], hops[:, 1:-1], hops[:, 2:, : WINDOW - 2 * HOP]], dim=2)
        after = frames[:, :, WINDOW // 2 :]
        before = torch.cat(
            [frames[:, :, WINDOW // 2 : WINDOW // 2 + 1], frames[:, :, 1 : WINDOW // 2].flip(2)], dim=2
        )
        real = (after + before) @ self.even
        imaginary = (after - before) @ self.odd
        power: Tensor = (real * real + imaginary * imaginary) @ self.filters
        return power


class Normaliser(nn.Module):
    """Mel power and the channel's past -> two views of the spectrum, f32[B, 10, 2, 80].

    The first view is level-normalised only, so that the timbre stays; the second has the channel's running
    spectral mean removed as well, so that microphone and line go. ``corpus_mean`` f32[80] is the mean of the
    level-normalised log spectrum over training speech.
    """

    def __init__(self) -> None:
        super().__init__()
        self.corpus_mean: Tensor
        self.register_buffer("corpus_mean", torch.full((BANDS,), -2.0))
        self.scale = _SCALE

    def forward(self, power: Tensor, speech: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Advance one step: power f32[B, 10, 80], speech f32[B, 5], state f32[B, 82]."""
        weight = speech.repeat_interleave(2, dim=1)
        count = weight.sum(dim=1, keepdim=True)
        past = torch.clamp(state[:, :1], max=_MEMORY)
        seen = past + count
        energy = torch.log(power.mean(dim=2) + _POWER_FLOOR)
        step_level = (weight * energy).sum(dim=1, keepdim=True) / torch.clamp(count, min=1.0)
        level = state[:, 1:2] + count / torch.clamp(seen, min=1.0) * (step_level - state[:, 1:2])
        spectrum = torch.log(power * torch.exp(-level).unsqueeze(2) + _RELATIVE_FLOOR) - self.corpus_mean
        step_mean = (weight.unsqueeze(2) * spectrum).sum(dim=1) / torch.clamp(count, min=1.0)
        mean = state[:, 2:] + count / (seen + _PRIOR) * (step_mean - state[:, 2:])
        views = torch.stack([spectrum, spectrum - mean.unsqueeze(1)], dim=2) / self.scale
        return views, torch.cat([seen, level, mean], dim=1)

    def sequence(self, power: Tensor, speech: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Advance T steps: power f32[B, T, 10, 80], speech f32[B, T, 5], state f32[B, 82] -> f32[B, T, 10, 2, 80].

        As long as nothing is forgotten, running means are running sums over counts, of all steps at once.
        """
        weight = speech.repeat_interleave(2, dim=2)
        count = weight.sum(dim=2)
        past = torch.clamp(state[:, :1], max=_MEMORY)
        seen = past + count.cumsum(dim=1)
        if float(seen.max()) > _MEMORY:
            return self._step_by_step(power, speech, state)
        energy = torch.log(power.mean(dim=3) + _POWER_FLOOR)
        level = past * state[:, 1:2] + (weight * energy).sum(dim=2).cumsum(dim=1)
        level = torch.where(seen > 0, level / torch.clamp(seen, min=1.0), state[:, 1:2])
        spectrum = torch.log(power * torch.exp(-level)[:, :, None, None] + _RELATIVE_FLOOR) - self.corpus_mean
        total = (weight.unsqueeze(3) * spectrum).sum(dim=2).cumsum(dim=1)
        mean = (state[:, None, 2:] * (past + _PRIOR).unsqueeze(2) + total) / (seen + _PRIOR).unsqueeze(2)
        views = torch.stack([spectrum, spectrum - mean.unsqueeze(2)], dim=3) / self.scale
        return views, torch.cat([seen[:, -1:], level[:, -1:], mean[:, -1]], dim=1)

    def _step_by_step(self, power: Tensor, speech: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        views = []
        for step in range(power.shape[1]):
            view, state = self(power[:, step], speech[:, step], state)
            views.append(view)
        return torch.stack(views, dim=1), state
