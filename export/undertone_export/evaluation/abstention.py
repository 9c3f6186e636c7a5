"""What not answering is worth: risk against coverage (Geifman and El-Yaniv 2017), and how often the service answers."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from undertone_export.evaluation.answers import Answered, average, with_age, with_emotion, with_sex
from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.report import AnsweredMeasure, CoveredAccuracy, Measured, RiskMeasure
from undertone_service.analysis import estimates
from undertone_service.bundle.manifest import Manifest
from undertone_service.protocol.labels import Task
from undertone_service.protocol.messages import Estimate

COVERAGES = (1.0, 0.9, 0.8, 0.7)
LEAST_SECONDS = 2.0

Values = NDArray[np.float64]


def measure_risk(manifest: Manifest, answered: Sequence[Answered]) -> RiskMeasure | None:
    """Return risk and coverage of emotion, all emotions competing; None without a clip of known emotion."""
    clips = with_emotion(manifest, answered)
    if not clips:
        return None
    confidence, right = emotion_answers(manifest, clips)
    order = np.argsort(-confidence, kind="stable")
    speakers = [clips[i].speaker for i in order]
    return RiskMeasure(
        clips=len(clips),
        area=float(risk_by_coverage(confidence, right).mean()),
        accuracies=tuple(
            CoveredAccuracy(
                coverage=coverage, accuracy=figure(speakers, partial(_accuracy, right[order], coverage))
            )
            for coverage in COVERAGES
        ),
    )


def emotion_answers(manifest: Manifest, clips: Sequence[Answered]) -> tuple[Values, Values]:
    """Return the service's confidence f64[N], and whether it is right f64[N]; silence is the least sure, and wrong."""
    confidence, right = np.zeros(len(clips)), np.zeros(len(clips))
    for i, one in enumerate(clips):
        if one.heard is not None:
            answer = estimates.emotion(manifest, one.heard.outputs, one.heard.speech)
            confidence[i], right[i] = answer.confidence, answer.label == one.clip.emotion
    return confidence, right


def risk_by_coverage(confidence: Values, right: Values) -> Values:
    """Return the share of wrong answers among the most confident 1, 2, ... N: f64[N]."""
    wrong = 1 - right[np.argsort(-confidence, kind="stable")]
    return np.asarray(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))


def _accuracy(right: Values, coverage: float, weights: Values) -> float:
    """Return the accuracy of the first ``coverage`` of the clips' weight, clips being in falling confidence."""
    room = coverage * weights.sum() - (np.cumsum(weights) - weights)
    covered = np.clip(room, 0, weights)
    return float(covered @ right / covered.sum())


def measure_answered(manifest: Manifest, answered: Sequence[Answered]) -> list[AnsweredMeasure]:
    """Return how many of the clips with 2 s of speech or more the service answers, at the shipped thresholds.

    Speech is what VAD and gate find, so that speech which the encoder misses counts as unanswered.
    """
    tasks: tuple[tuple[Measured, list[Answered], Callable[[Estimate], object]], ...] = (
        ("emotion", with_emotion(manifest, answered), lambda estimate: estimate.emotion),
        ("gender", with_sex(answered), lambda estimate: estimate.gender),
        ("age", with_age(answered), lambda estimate: estimate.age),
    )
    measures = []
    for task, clips, answer in tasks:
        long = [one for one in clips if one.detected >= LEAST_SECONDS]
        if long:
            share = average(long, partial(_is_answered, manifest, answer))
            measures.append(
                AnsweredMeasure(task=task, seconds=LEAST_SECONDS, clips=len(long), answered=share)
            )
    return measures


def _is_answered(manifest: Manifest, answer: Callable[[Estimate], object], one: Answered) -> float:
    return float(answer(_estimate(manifest, one)) is not None)


def _estimate(manifest: Manifest, one: Answered) -> Estimate:
    heard = one.heard
    if heard is None:
        return Estimate()
    return estimates.estimate(manifest, heard.outputs, heard.speech, frozenset(Task), heard.snr_db)
