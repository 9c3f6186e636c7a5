"""Whole recordings through the streaming encoder: what training and the offline path use.

The rules are those of serving: only active steps are heard, joined; the normaliser runs over all of them; sample
context and caches restart with every utterance. Steps of an utterance are encoded in one go, not one by one.
"""

import torch
from torch import Tensor

from undertone_models.networks.logmel import CONTEXT, NORMALISER_SIZE
from undertone_models.networks.streaming import FRAMES_PER_STEP, MASK_FRAMES, Encoder


def encode_sequences(
    encoder: Encoder, samples: Tensor, mask: Tensor, first: Tensor, normaliser: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Encode the active steps of B channels.

    Args:
        encoder: the frame encoder.
        samples: f32[B, T, 1600].
        mask: f32[B, T, 5]; all zero on padding, which stands only at the end.
        first: bool[B, T]; a step begins an utterance. The first step given always does.
        normaliser: f32[B, 82], what the channels' normalisers know already; None at the channels' start.

    Returns:
        Statistics f32[B, T, D] (0 on padding), speech logits f32[B, T, 2], and the normalisers f32[B, 82] after it.
    """
    if normaliser is None:
        normaliser = samples.new_zeros((len(samples), NORMALISER_SIZE))
    with torch.no_grad():
        views, normaliser = spectral_views(encoder, samples, mask, first, normaliser)
    rows = utterance_rows(first, mask.amax(dim=2) > 0)
    steps = views.flatten(0, 1)
    steps = torch.cat([steps, steps.new_zeros((1, *steps.shape[1:]))])
    step_masks = torch.cat([mask.flatten(0, 1), mask.new_zeros((1, MASK_FRAMES))])
    statistics, logits = [], []
    groups = _groups_of_like_length(rows, mask.shape[:2].numel())
    for group in groups:
        padded = encoder.mask(steps[group].flatten(1, 2))
        frames, speech, _ = encoder.frames(padded, encoder.empty_caches(len(group)))
        statistics.append(encoder.statistics(frames, speech, step_masks[group]))
        logits.append(speech.reshape(len(group), -1, FRAMES_PER_STEP))
    return (
        _scatter(statistics, groups, mask.shape[:2]),
        _scatter(logits, groups, mask.shape[:2]),
        normaliser,
    )


def spectral_views(
    encoder: Encoder, samples: Tensor, mask: Tensor, first: Tensor, normaliser: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the normalised spectrum f32[B, T, 10, 2, 80] of steps f32[B, T, 1600], and the normalisers after it."""
    context = torch.roll(samples[:, :, -CONTEXT:], 1, dims=1) * ~first.unsqueeze(2)
    power = encoder.logmel(torch.cat([context, samples], dim=2).flatten(0, 1))
    power = power.reshape(*mask.shape[:2], *power.shape[1:])
    return encoder.normaliser.sequence(power, mask, normaliser)


def utterance_rows(first: Tensor, heard: Tensor) -> Tensor:
    """Return int64[R, longest]: for each utterance its steps as indices into B * T; B * T where none."""
    batch, steps = first.shape
    positions = torch.arange(batch * steps).reshape(batch, steps)[heard]
    starts = torch.nonzero(first[heard]).flatten()
    lengths = torch.diff(starts, append=torch.tensor([len(positions)]))
    rows = torch.full((len(starts), int(lengths.max())), batch * steps)
    inside = torch.arange(rows.shape[1]) < lengths.unsqueeze(1)
    rows[inside] = positions
    return rows


def _groups_of_like_length(rows: Tensor, padding: int) -> list[Tensor]:
    """Split utterances int64[R, longest] in two groups, such that the least padding is encoded."""
    lengths = (rows < padding).sum(dim=1)
    ordered, order = lengths.sort()
    shorter = torch.arange(1, len(rows) + 1)
    costs = shorter * ordered + (len(rows) - shorter) * ordered[-1]
    split = int(costs.argmin()) + 1
    groups = (rows[order[:split], : ordered[split - 1]], rows[order[split:]])
    return [group for group in groups if len(group)]


def _scatter(values: list[Tensor], groups: list[Tensor], shape: torch.Size) -> Tensor:
    """Put the groups' values [R, longest, ...] back to [B, T, ...]; what no row holds is 0."""
    filled = values[0].new_zeros((shape.numel(), *values[0].shape[2:]))
    for some, rows in zip(values, groups, strict=True):
        inside = rows < shape.numel()
        filled = filled.index_copy(0, rows[inside], some[inside])
    return filled.reshape(*shape, *filled.shape[1:])
