"""Manifests and raw outputs for tests of what works on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from undertone_service.bundle.bundle import Outputs
from undertone_service.bundle.manifest import Licence, Manifest, StreamingManifest


def manifest(**changes: Any) -> Manifest:
    """Return a manifest with everything at its default but what is given."""
    known: dict[str, Any] = {
        "name": "test",
        "state_size": 1,
        "carried_state": 1,
        "statistics_size": 1,
        "pools": {},
        "voiceprint_size": 2,
        "opset": 20,
        "digest": "d",
        "licence": Licence(name="none", commercial_use=False, notice="For tests."),
    }
    return StreamingManifest(**known | changes)


def outputs(
    emotion: Sequence[float] = (0.2, *[0.1] * 8),
    gender: Sequence[float] = (0.3, 0.7),
    age: float = 40.0,
    voiceprint: Sequence[float] = (1.0, 0.0),
) -> Outputs:
    """Return raw outputs of the heads."""
    return Outputs(
        np.array(emotion, np.float32), np.array(gender, np.float32), age, np.array(voiceprint, np.float32)
    )
