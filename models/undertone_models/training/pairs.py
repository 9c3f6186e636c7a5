"""Voiceprints told apart in pairs: the equal error rate over all pairs, and the share right at a threshold."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def pairwise_eer(voiceprints: Floats, speakers: NDArray[np.int64]) -> float:
    """Return the equal error rate over all pairs of voiceprints f32[N, V] of length 1; nan without both kinds."""
    rates = _rates(voiceprints, speakers)
    if rates is None:
        return float("nan")
    missed, accepted, _ = rates
    best = int(np.argmin(np.abs(missed - accepted)))
    return float((missed[best] + accepted[best]) / 2)


def pairwise_threshold(voiceprints: Floats, speakers: NDArray[np.int64]) -> float:
    """Return the cosine from which on pairs count as one speaker, where most of both kinds are right."""
    rates = _rates(voiceprints, speakers)
    if rates is None:
        return float("nan")
    missed, accepted, cosines = rates
    return float(cosines[np.argmin(missed + accepted)])


def pairwise_accuracy(voiceprints: Floats, speakers: NDArray[np.int64], threshold: float) -> float:
    """Return the share of pairs told right, 0 to 1, where as many are of one speaker as of two: chance is a half."""
    rates = _rates(voiceprints, speakers)
    if rates is None or np.isnan(threshold):
        return float("nan")
    missed, accepted, cosines = rates
    last = int(np.searchsorted(-cosines, -threshold, side="right")) - 1
    return 0.5 if last < 0 else float(1 - (missed[last] + accepted[last]) / 2)


def _rates(
    voiceprints: Floats, speakers: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], Floats] | None:
    """Return the shares of one speaker's pairs missed and of two speakers' accepted at each cosine, which falls."""
    if len(voiceprints) < 2:
        return None
    upper = np.triu_indices(len(voiceprints), 1)
    cosines = (voiceprints @ voiceprints.T)[upper]
    same = (speakers[:, None] == speakers[None, :])[upper]
    if not same.any() or same.all():
        return None
    order = np.argsort(-cosines)
    target = same[order]
    missed = 1 - np.cumsum(target) / target.sum()
    accepted = np.cumsum(~target) / (~target).sum()
    return missed, accepted, cosines[order]
