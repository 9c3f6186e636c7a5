"""Raw outputs of the heads to calibrated answers, or null where there was too little speech."""

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.manifest import Manifest
from undertone_service.bundle.streaming import Outputs
from undertone_service.protocol.labels import Task, age_band
from undertone_service.protocol.messages import Age, Emotion, Estimate, Gender

_LEAST, _MOST = 0.0, 110.0


def estimate(manifest: Manifest, outputs: Outputs | None, speech: float, tasks: frozenset[Task]) -> Estimate:
    """Answer the tasks asked for; ``speech`` is the net seconds that the outputs rest on."""
    enough = manifest.minimum_speech
    if outputs is None:
        return Estimate()
    return Estimate(
        emotion=emotion(manifest, outputs) if Task.EMOTION in tasks and speech >= enough.emotion else None,
        gender=gender(manifest, outputs) if Task.GENDER in tasks and speech >= enough.gender else None,
        age=age(manifest, outputs) if Task.AGE in tasks and speech >= enough.age else None,
    )


def emotion(manifest: Manifest, outputs: Outputs) -> Emotion:
    """Return the calibrated emotion."""
    scores = tempered(outputs.emotion, manifest.calibration.emotion_temperature)
    best = int(np.argmax(scores))
    return Emotion(
        label=manifest.emotions[best],
        confidence=round(float(scores[best]), 4),
        scores={name: round(float(score), 4) for name, score in zip(manifest.emotions, scores, strict=True)},
    )


def gender(manifest: Manifest, outputs: Outputs) -> Gender:
    """Return the calibrated gender."""
    scores = tempered(outputs.gender, manifest.calibration.gender_temperature)
    best = int(np.argmax(scores))
    return Gender(label=manifest.genders[best], confidence=round(float(scores[best]), 4))


def age(manifest: Manifest, outputs: Outputs) -> Age:
    """Return the age with its interval."""
    years = min(max(outputs.age, _LEAST), _MOST)
    low, high = years + manifest.calibration.age_low, years + manifest.calibration.age_high
    return Age(
        years=round(years, 1),
        low=round(max(low, _LEAST), 1),
        high=round(min(high, _MOST), 1),
        band=age_band(years),
    )


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return probabilities f64[N] softened (or sharpened) by a temperature (Guo et al. 2017)."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
