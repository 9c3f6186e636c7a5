"""What the store hands out: speakers, voiceprints, the gallery of a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_VOICEPRINT = 4096


@dataclass(frozen=True, slots=True)
class Recording:
    """One enrolment: ``voiceprint`` f32[V]; ``speech`` net seconds; ``clipped`` 0 to 1."""

    id: str
    bundle_digest: str
    voiceprint: NDArray[np.float32]
    speech: float
    level_db: float
    snr_db: float | None
    clipped: float
    bandwidth_hz: int
    created_at: str


@dataclass(frozen=True, slots=True)
class StoredSpeaker:
    """A speaker, with the number of recordings and the net seconds enrolled under each bundle digest."""

    id: str
    name: str
    consent_by: str
    consent_at: str
    created_at: str
    enrollments: dict[str, int] = field(default_factory=dict)
    speech: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """A speaker's voice: ``vector`` f32[V], L2-normalised; ``speech`` net seconds behind it."""

    vector: NDArray[np.float32]
    speech: float
    bandwidth_hz: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """All voices of a tenant under one bundle: ``matrix`` f32[N, V], rows in the order of ``ids``."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    matrix: NDArray[np.float32]


def checked(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a voiceprint as f32[V], L2-normalised.

    Raises:
        ValueError: not one finite, non-zero vector of at most 4096 numbers.
    """
    vector = np.asarray(vector, np.float32)
    if vector.ndim != 1 or not 0 < vector.size <= MAX_VOICEPRINT:
        raise ValueError(f"a voiceprint is one vector of 1 to {MAX_VOICEPRINT} numbers, not {vector.shape}")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("a voiceprint has a finite length above zero")
    return (vector / np.float32(length)).astype(np.float32)


def combine(recordings: Sequence[Recording]) -> Voiceprint:
    """Join the recordings of one speaker: the mean weighted by net speech, normalised again.

    The bandwidth is that of most of the speech.
    """
    total = sum((recording.speech * recording.voiceprint.astype(np.float64) for recording in recordings), 0.0)
    by_bandwidth: dict[int, float] = {}
    for recording in recordings:
        hertz = recording.bandwidth_hz
        by_bandwidth[hertz] = by_bandwidth.get(hertz, 0.0) + recording.speech
    return Voiceprint(
        checked(np.asarray(total, np.float32)),
        sum(by_bandwidth.values()),
        max(by_bandwidth, key=lambda hertz: by_bandwidth[hertz]),
    )
