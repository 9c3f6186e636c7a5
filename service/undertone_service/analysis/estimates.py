"""Raw outputs of the heads to calibrated answers, or null where there was too little speech or too much noise."""

import math

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.bundle import Outputs
from undertone_service.bundle.manifest import Manifest
from undertone_service.protocol.labels import Task, age_band
from undertone_service.protocol.messages import Age, Emotion, Estimate, Gender

AGE_PIVOT = 40.0
"""Years at which the width of the age interval depends on speech alone."""
_LEAST, _MOST = 0.0, 110.0


def estimate(
    manifest: Manifest,
    outputs: Outputs | None,
    speech: float,
    tasks: frozenset[Task],
    snr_db: float | None = None,
) -> Estimate:
    """Answer the tasks asked for, as far as the bundle has them.

    ``speech`` is the net seconds that the outputs rest on, ``snr_db`` how far they stand above the noise; None
    where that is unknown, and held against nobody.
    """
    if outputs is None:
        return Estimate()

    def wanted(task: Task, least_speech: float, least_snr: float | None) -> bool:
        return (
            task in tasks
            and task in manifest.tasks
            and speech >= least_speech
            and not too_noisy(snr_db, least_snr)
        )

    enough, clear = manifest.minimum_speech, manifest.minimum_snr
    emotional = wanted(Task.EMOTION, enough.emotion, clear.emotion)
    gendered = wanted(Task.GENDER, enough.gender, clear.gender)
    aged = wanted(Task.AGE, enough.age, clear.age)
    return Estimate(
        emotion=emotion(manifest, outputs, speech) if emotional else None,
        gender=gender(manifest, outputs, speech) if gendered else None,
        age=age(manifest, outputs, speech) if aged else None,
    )


def too_noisy(snr_db: float | None, least: float | None) -> bool:
    """Whether speech is known to stand less than ``least`` dB above the noise; None: unknown, or no bound."""
    return snr_db is not None and least is not None and snr_db < least


def noise_silences(manifest: Manifest, tasks: frozenset[Task], snr_db: float | None) -> bool:
    """Whether noise alone would keep one of the tasks from an answer."""
    clear = manifest.minimum_snr
    bounds = {Task.EMOTION: clear.emotion, Task.GENDER: clear.gender, Task.AGE: clear.age}
    return any(
        task in tasks and task in manifest.tasks and too_noisy(snr_db, least)
        for task, least in bounds.items()
    )


def emotion(manifest: Manifest, outputs: Outputs, speech: float) -> Emotion:
    """Return the emotion, calibrated for net seconds of speech."""
    known = manifest.calibration
    power = _log_speech(manifest, speech) * known.emotion_temperature_per_log
    scores = tempered(outputs.emotion, known.emotion_temperature * math.exp(power))
    best = int(np.argmax(scores))
    return Emotion(
        label=manifest.emotions[best],
        confidence=round(float(scores[best]), 4),
        scores={name: round(float(score), 4) for name, score in zip(manifest.emotions, scores, strict=True)},
    )


def gender(manifest: Manifest, outputs: Outputs, speech: float) -> Gender:
    """Return the gender, calibrated for net seconds of speech."""
    known = manifest.calibration
    power = _log_speech(manifest, speech) * known.gender_temperature_per_log
    scores = tempered(outputs.gender, known.gender_temperature * math.exp(power))
    best = int(np.argmax(scores))
    return Gender(label=manifest.genders[best], confidence=round(float(scores[best]), 4))


def age(manifest: Manifest, outputs: Outputs, speech: float) -> Age:
    """Return the age with its interval, calibrated for net seconds of speech; of some bundles the band alone."""
    if math.isnan(outputs.age):
        return Age(years=None, low=None, high=None, band=manifest.age_bands[int(np.argmax(outputs.age_band))])
    known = manifest.calibration
    years = min(max(known.age_offset + known.age_slope * outputs.age, _LEAST), _MOST)
    width = math.exp(
        known.age_width_per_log * _log_speech(manifest, speech)
        + known.age_width_per_decade * (years - AGE_PIVOT) / 10
    )
    low, high = years + known.age_low * width, years + known.age_high * width
    return Age(
        years=round(years, 1),
        low=round(max(low, _LEAST), 1),
        high=round(min(high, _MOST), 1),
        band=age_band(years),
    )


def _log_speech(manifest: Manifest, speech: float) -> float:
    low, high = manifest.calibration.speech_range
    return math.log(min(max(speech, low), high))


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return probabilities f64[N] softened (or sharpened) by a temperature (Guo et al. 2017)."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
