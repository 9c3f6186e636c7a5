"""Frozen speech encoders that other networks stand on: samples f32[B, N] -> frame vectors f32[B, T, width].

``FrameEncoder`` is the plug; ``StreamingFrames`` puts our own streaming network into it, ``wavlm`` a checkpoint that
the user has.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_models.networks.logmel import CONTEXT, FRAMES, NORMALISER_SIZE, STEP
from undertone_models.networks.streaming import MASK_FRAMES, Encoder


class Frozen(nn.Module):
    """Does not learn: its weights ask for no gradient, and it stays in evaluation mode whatever stands on it does."""

    def __init__(self, module: nn.Module, width: int) -> None:
        super().__init__()
        self.module = module.requires_grad_(False)
        self.width = width
        """Floats of each vector."""
        self.train(False)

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in evaluation mode."""
        del mode
        super().train(False)
        return self


class FrameEncoder(Frozen):
    """Samples f32[B, N] -> frame vectors f32[B, T, width]."""


class StreamingFrames(FrameEncoder):
    """The streaming network's frame vectors, 20 a second, of a whole window: N is a multiple of 1,600.

    The window is one utterance of a channel that was never heard before. Exact zeros, which is what a window is
    padded with, are not speech to the normaliser. A window may be 100 s long: the normaliser forgets nothing by then.
    """

    module: Encoder

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, encoder.settings.width)

    def forward(self, samples: Tensor) -> Tensor:
        batch, steps = samples.shape[0], samples.shape[1] // STEP
        power = self.module.logmel(functional.pad(samples, (CONTEXT, 0)))
        power = power.reshape(batch, steps, FRAMES, -1)
        mask = (samples.reshape(batch, steps, MASK_FRAMES, -1).abs().amax(dim=3) > 0).to(samples.dtype)
        state = samples.new_zeros((batch, NORMALISER_SIZE))
        views = []
        # Not ``sequence``: whether a normaliser has begun to forget is a question that no graph can ask.
        for step in range(steps):
            view, state = self.module.normaliser(power[:, step], mask[:, step], state)
            views.append(view)
        frames, _, _ = self.module.frames(torch.cat(views, dim=1), self.module.empty_caches(batch))
        return frames
