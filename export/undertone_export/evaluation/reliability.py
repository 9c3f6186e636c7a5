"""Does an answer of 0.8 come true 80 % of the time? Expected calibration error (Guo et al. 2017, section 2)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.answers import UNSURE_SEX, Answered
from undertone_export.evaluation.report import ALL, Measured, ReliabilityBin, ReliabilityMeasure
from undertone_export.evaluation.verification import HEADLINE, Scored, arrays, in_kind
from undertone_service.analysis import estimates
from undertone_service.analysis.verification import score_to_probability
from undertone_service.bundle.manifest import Manifest

BINS = 10
SIMULATIONS = 1000
SEED = 0
PRIOR = 0.5

Values = NDArray[np.float64]


def measure_reliability(
    manifest: Manifest, answered: Sequence[Answered], scored: Mapping[int | None, Sequence[Scored]]
) -> list[ReliabilityMeasure]:
    """Return emotion and gender as the service answers them, and verification over probes of all lengths.

    Clips without an answer state no confidence and are left out, as are one-word trials. Impostors outnumber
    targets in a list of trials: each kind is weighted to the half that the prior of 0.5 states.
    """
    emotions, genders = [], []
    for one in answered:
        if one.heard is None:
            continue
        if one.clip.emotion in manifest.emotions:
            emotion = estimates.emotion(manifest, one.heard.outputs, one.heard.speech)
            emotions.append((emotion.confidence, emotion.label == one.clip.emotion))
        if one.clip.sex is not None and one.clip.corpus not in UNSURE_SEX:
            gender = estimates.gender(manifest, one.heard.outputs, one.heard.speech)
            genders.append((gender.confidence, gender.label == one.clip.sex))
    measures = []
    answers: tuple[tuple[Measured, list[tuple[float, bool]]], ...] = (
        ("emotion", emotions),
        ("gender", genders),
    )
    for task, pairs in answers:
        if pairs:
            confidence, right = np.array(pairs, np.float64).T
            measures.append(reliability(task, confidence, right, np.ones(len(right))))
    voices = [one for some in scored.values() for one in some if in_kind(one.trial, ALL, HEADLINE)]
    return [*measures, *_voices(manifest, [one for one in voices if not one.unanswered])]


def _voices(manifest: Manifest, scored: Sequence[Scored]) -> Iterable[ReliabilityMeasure]:
    _, targets = arrays(scored)
    if targets.any() and not targets.all():
        calibration = manifest.calibration.voice
        stated = [score_to_probability(one.score, one.speech, calibration, PRIOR) for one in scored]
        weights = np.where(targets, PRIOR / targets.sum(), (1 - PRIOR) / (~targets).sum())
        yield reliability("verification", np.array(stated), targets.astype(np.float64), weights)


def reliability(task: Measured, confidence: Values, right: Values, weights: Values) -> ReliabilityMeasure:
    """Compare confidence f64[N], 0 to 1, with what was right f64[N], 0 or 1, in bins of equal mass.

    What perfect calibration would show is the mean error over draws of ``right`` from the confidences themselves.
    """
    order = np.argsort(confidence, kind="stable")
    confidence, right, weights = confidence[order], right[order], weights[order] / weights.sum()
    middle = np.cumsum(weights) - weights / 2
    places = np.minimum((middle * BINS).astype(np.int64), BINS - 1)

    def gaps(outcomes: Values) -> Values:
        return np.asarray(np.bincount(places, weights * (confidence - outcomes), BINS), np.float64)

    random = np.random.default_rng(SEED)
    draws = [(random.random(len(confidence)) < confidence).astype(np.float64) for _ in range(SIMULATIONS)]
    shares = np.bincount(places, weights, BINS)
    occurs = shares > 0
    means = [
        np.bincount(places, weights * values, BINS)[occurs] / shares[occurs] for values in (confidence, right)
    ]
    return ReliabilityMeasure(
        task=task,
        answers=len(confidence),
        bins=tuple(
            ReliabilityBin(share=share, confidence=stated, accuracy=accuracy)
            for share, stated, accuracy in zip(*(v.tolist() for v in (shares[occurs], *means)), strict=True)
        ),
        error=float(np.abs(gaps(right)).sum()),
        perfect=float(np.mean([np.abs(gaps(draw)).sum() for draw in draws])),
    )
