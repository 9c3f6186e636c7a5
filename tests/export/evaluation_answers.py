"""Answers made by hand, for measures whose results can be reckoned."""

import numpy as np

from undertone_export.evaluation.hearing import Heard
from undertone_service.bundle.bundle import Outputs
from undertone_service.bundle.manifest import Licence, Manifest, StreamingManifest
from undertone_service.protocol.labels import EMOTIONS, GENDERS


def manifest() -> Manifest:
    """Return the manifest of a bundle that does not exist."""
    return StreamingManifest(
        name="imagined", state_size=1, carried_state=1, statistics_size=1, pools={}, voiceprint_size=2, opset=20,
        digest="0" * 64, licence=Licence(name="none", commercial_use=False, notice="For tests."),
    )  # fmt: skip


def heard(
    *,
    emotion: dict[str, float] | None = None,
    gender: str = "female",
    age: float = 40.0,
    voice: tuple[float, float] = (1.0, 0.0),
    speech: float = 1.0,
) -> Heard:
    """Return what a bundle might have heard; ``emotion`` holds the probabilities that are not small."""
    emotions = np.array([(emotion or {}).get(name, 0.001) for name in EMOTIONS], np.float32)
    genders = np.array([0.9 if name == gender else 0.1 for name in GENDERS], np.float32)
    voiceprint = np.array(voice, np.float32) / np.float32(np.hypot(*voice))
    return Heard(Outputs(emotions / emotions.sum(), genders, age, voiceprint), speech)
