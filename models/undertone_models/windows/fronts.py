"""What a network's front makes of clips, kept: it learns nothing, so that once for each clip is enough."""

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from undertone_models.networks.published.fronted import Fronted
from undertone_models.windows.clips import Windows
from undertone_models.windows.recipes import WindowRecipe

_BATCH = 32


@torch.no_grad()
def keep_fronts(network: Fronted, windows: Windows, recipe: WindowRecipe | None = None) -> Tensor:
    """Return f32[M, ...]: the clips as they are, or with ``recipe`` disturbed, its noisy copies after them."""
    network.eval()
    clips, random, augment = len(windows.clips), None, None
    copies = 1
    if recipe is not None:
        augment, random = recipe.augment, np.random.default_rng(recipe.seed)
        copies += augment.noisy_copies
    kept: Tensor | None = None
    for start in track(range(0, copies * clips, _BATCH), "Front"):
        numbers = range(start, min(start + _BATCH, copies * clips))
        noisy = [number >= clips for number in numbers]
        heard = network.front(windows.draw([n % clips for n in numbers], augment, random, noisy))
        if kept is None:
            kept = heard.new_empty((copies * clips, *heard.shape[1:]))
        kept[start : start + len(numbers)] = heard
    return torch.empty(0) if kept is None else kept


def mask_spans(heard: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Return f32[B, T, F] with a span of frames and one of bands at their means (SpecAugment, Park et al. 2019).

    A span is up to ``share`` of the frames or bands, drawn anew for each clip.
    """
    masked = heard.clone()
    means = heard.mean(dim=1)
    for row, mean in enumerate(means):
        start, end = _span(heard.shape[1], share, random)
        masked[row, start:end] = mean
        start, end = _span(heard.shape[2], share, random)
        masked[row, :, start:end] = mean[start:end]
    return masked


def _span(size: int, share: float, random: np.random.Generator) -> tuple[int, int]:
    length = int(random.integers(round(share * size) + 1))
    start = int(random.integers(size - length + 1))
    return start, start + length
