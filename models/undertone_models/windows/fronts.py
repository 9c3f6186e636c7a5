"""What a network's front makes of clips, kept: it learns nothing, so that once for each clip is enough."""

from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from undertone_models.networks.published.fronted import Fronted
from undertone_models.windows.clips import Windows
from undertone_models.windows.recipes import WindowAugment, WindowRecipe

_BATCH = 32

Known = dict[Path, Tensor]
"""What a front made of undisturbed clips, by path; networks with the same front may share it."""


@torch.no_grad()
def keep_fronts(network: Fronted, windows: Windows, known: Known) -> Tensor:
    """Return f32[M, ...], the clips as they are; what is not yet known is added."""
    network.eval()
    new = [number for number, clip in enumerate(windows.clips) if clip.path not in known]
    for start in track(range(0, len(new), _BATCH), "Front", disable=not new):
        numbers = new[start : start + _BATCH]
        # Cloned, or a row would keep its whole batch.
        for number, heard in zip(numbers, network.front(windows.draw(numbers)), strict=True):
            known[windows.clips[number].path] = heard.clone()
    found = [known[clip.path] for clip in windows.clips]
    return torch.stack(found) if found else torch.empty(0)


@torch.no_grad()
def keep_disturbed(network: Fronted, windows: Windows, recipe: WindowRecipe, known: Known) -> Tensor:
    """Return f32[copies * M, ...]: the clips, and after them their noisy copies, each cut and disturbed once."""
    augment, random = recipe.augment, np.random.default_rng(recipe.seed)
    network.eval()
    parts = [keep_fronts(network, windows, known)] if _undisturbed(augment) else []
    clips = len(windows.clips)
    for copy in range(len(parts), 1 + augment.noisy_copies):
        for start in track(range(0, clips, _BATCH), f"Front, copy {copy + 1} of {1 + augment.noisy_copies}"):
            numbers = range(start, min(start + _BATCH, clips))
            drawn = windows.draw(numbers, augment, random, [copy > 0] * len(numbers))
            parts.append(network.front(drawn))
    return torch.cat(parts)


def _undisturbed(augment: WindowAugment) -> bool:
    """Whether clips without noise stay as they are."""
    return not augment.speed and tuple(augment.value) == (1.0, 1.0)


def mask_spans(heard: Tensor, share: float, random: np.random.Generator, marks: int = 0) -> Tensor:
    """Return f32[B, T, F] with a span of frames and one of bands at their means (SpecAugment, Park et al. 2019).

    A span is up to ``share`` of the frames or bands, drawn anew for each clip; the last ``marks`` columns stay.
    """
    masked = heard.clone()
    bands = masked[:, :, : heard.shape[2] - marks]
    for row, mean in zip(bands, bands.mean(dim=1), strict=True):
        start, end = _span(row.shape[0], share, random)
        row[start:end] = mean
        start, end = _span(row.shape[1], share, random)
        row[:, start:end] = mean[start:end]
    return masked


def _span(size: int, share: float, random: np.random.Generator) -> tuple[int, int]:
    length = int(random.integers(round(share * size) + 1))
    start = int(random.integers(size - length + 1))
    return start, start + length
