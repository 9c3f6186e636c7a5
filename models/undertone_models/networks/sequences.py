"""Whole recordings through the streaming encoder: what training and the offline path use.

The rules are those of serving: only active steps are heard, joined; the normaliser runs over all of them; sample
context and caches restart with every utterance. Steps of an utterance are encoded in one go, not one by one.
"""

import torch
from torch import Tensor

from undertone_models.networks.logmel import CONTEXT, NORMALISER_SIZE
from undertone_models.networks.streaming import FRAMES_PER_STEP, Encoder


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
        Statistics f32[B, T, D] (0 on padding), speech logits f32[B, T, 5], and the normalisers f32[B, 82] after it.
    """
    if normaliser is None:
        normaliser = samples.new_zeros((len(samples), NORMALISER_SIZE))
    with torch.no_grad():
        views, normaliser = spectral_views(encoder, samples, mask, first, normaliser)
    rows = utterance_rows(first, mask.amax(dim=2) > 0)
    steps = views.flatten(0, 1)
    padded = torch.cat([steps, steps.new_zeros((1, *steps.shape[1:]))])[rows].flatten(1, 2)
    frames, logits, _ = encoder.frames(padded, encoder.empty_caches(len(rows)))
    flat_mask = torch.cat([mask.flatten(0, 1), mask.new_zeros((1, FRAMES_PER_STEP))])[rows].flatten(1, 2)
    statistics = encoder.statistics(frames, logits, flat_mask)
    return (
        _scatter(statistics, rows, mask.shape[:2]),
        _scatter(logits.reshape(len(rows), -1, FRAMES_PER_STEP), rows, mask.shape[:2]),
        normaliser,
    )


def spectral_views(
    encoder: Encoder, samples: Tensor, mask: Tensor, first: Tensor, normaliser: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the normalised spectrum f32[B, T, 10, 2, 80] of steps f32[B, T, 1600], and the normalisers after it."""
    context = torch.roll(samples[:, :, -CONTEXT:], 1, dims=1) * ~first.unsqueeze(2)
    power = encoder.logmel(torch.cat([context, samples], dim=2).flatten(0, 1))
    power = power.reshape(*mask.shape[:2], *power.shape[1:])
    views = []
    for step in range(samples.shape[1]):
        view, normaliser = encoder.normaliser(power[:, step], mask[:, step], normaliser)
        views.append(view)
    return torch.stack(views, dim=1), normaliser


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


def _scatter(values: Tensor, rows: Tensor, shape: torch.Size) -> Tensor:
    """Put rows [R, longest, ...] back to [B, T, ...]; what no row holds is 0."""
    inside = rows < shape.numel()
    flat = values.new_zeros((shape.numel(), *values.shape[2:]))
    filled = flat.index_copy(0, rows[inside], values[inside])
    return filled.reshape(*shape, *values.shape[2:])
