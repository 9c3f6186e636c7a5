"""Rolling verification: is the voice on this channel the claimed one, and is it still?"""

import math

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.manifest import Manifest, VerificationThresholds, VoiceCalibration
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Decision
from undertone_service.protocol.messages import Identity, Match, Speaker
from undertone_service.store.voices import Gallery

SETTLED_SPEECH = 10.0
"""Net seconds from which on acceptance demands no more than ``accept``."""
_CANDIDATES = 5


def log_likelihood_ratio(score: float, speech: float, calibration: VoiceCalibration) -> float:
    """Return the log likelihood ratio, same voice over another, of a cosine over net seconds of speech."""
    low, high = calibration.speech_range
    log_speech = math.log(min(max(speech, low), high))
    slope = calibration.slope + calibration.slope_per_log * log_speech
    return slope * score + calibration.offset + calibration.offset_per_log * log_speech


def score_to_probability(score: float, speech: float, calibration: VoiceCalibration, prior: float) -> float:
    """Return the probability that it is the same voice, at a stated prior (between 0 and 1)."""
    return _probability(log_likelihood_ratio(score, speech, calibration) + math.log(prior / (1 - prior)))


def probability_to_accept(thresholds: VerificationThresholds, speech: float) -> float:
    """Return the probability that acceptance demands after net seconds of speech: the more, the less was heard.

    Early looks are many and rest on little, so that most false accepts of a session would be theirs.
    """
    if speech >= SETTLED_SPEECH or not thresholds.accept_per_log:
        return thresholds.accept
    early = thresholds.accept_per_log * math.log(SETTLED_SPEECH / max(speech, 0.1))
    return _probability(math.log(thresholds.accept / (1 - thresholds.accept)) + early)


def _probability(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))


def check_voiceprints(manifest: Manifest) -> None:
    """Refuse to compare voices with a bundle that takes no voiceprints.

    Raises:
        UndertoneError: ``bad_request``.
    """
    if "voiceprint" not in manifest.tasks:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"The bundle {manifest.name!r} takes no voiceprints, so it can neither enrol, verify nor identify.",
            "Name a bundle that has the task `voiceprint`; GET /v1/models lists them.",
        )


class Verifier:
    """Decides on one claim, look after look.

    ``voiceprint`` f32[V] of the claimed speaker, of unit length. A decision is taken on all net speech so far and
    held with hysteresis: what was accepted falls back only below ``release``, what was rejected is taken back
    only by acceptance (``probability_to_accept``). Thresholds stand for the error of a whole session, looked at
    every hop.
    """

    def __init__(
        self, speaker: str, voiceprint: NDArray[np.float32], manifest: Manifest, prior: float
    ) -> None:
        self.speaker = speaker
        self._voiceprint = voiceprint
        self._calibration = manifest.calibration.voice
        self._thresholds = manifest.verification
        self._prior = prior
        self._decision = Decision.UNDECIDED

    def restart(self) -> None:
        """Forget the decision: another voice is on the channel."""
        self._decision = Decision.UNDECIDED

    def look(self, voiceprint: NDArray[np.float32], speech: float) -> Speaker:
        """Score a voiceprint f32[V] over net seconds of speech and decide."""
        score = float(voiceprint @ self._voiceprint)
        probability = score_to_probability(score, speech, self._calibration, self._prior)
        if speech >= self._thresholds.minimum_speech:
            self._decision = self._decide(probability, speech)
        return Speaker(
            id=self.speaker,
            score=round(score, 4),
            probability=round(probability, 4),
            decision=self._decision,
            speech=round(speech, 2),
        )

    def _decide(self, probability: float, speech: float) -> Decision:
        if probability >= probability_to_accept(self._thresholds, speech):
            return Decision.ACCEPTED
        if probability <= self._thresholds.reject:
            return Decision.REJECTED
        if self._decision is Decision.ACCEPTED and probability < self._thresholds.release:
            return Decision.UNDECIDED
        return self._decision


def same_voice(
    one: NDArray[np.float32], other: NDArray[np.float32], speech: float, manifest: Manifest
) -> tuple[float, bool]:
    """Compare two stretches of one channel; return the cosine, and whether it may be one voice.

    ``speech`` is the net seconds of the shorter stretch.
    """
    score = float(one @ other)
    probability = score_to_probability(score, speech, manifest.calibration.voice, 0.5)
    return score, probability > manifest.verification.changed


def identify(
    gallery: Gallery, voiceprint: NDArray[np.float32], speech: float, manifest: Manifest, prior: float
) -> Identity:
    """Search a gallery, open-set: ``prior`` is that of the voice being in it at all, spread evenly.

    The posterior of each voice is its share of the evidence, with "none of them" as one more hypothesis.
    """
    if not len(gallery.ids):
        return Identity(best=None)
    scores = gallery.matrix @ voiceprint
    top = np.argsort(-scores)[:_CANDIDATES]
    calibration = manifest.calibration.voice
    ratios = np.array([log_likelihood_ratio(float(scores[i]), speech, calibration) for i in top])
    weights = np.exp(np.clip(ratios, -50, 50)) * prior / len(gallery.ids)
    posteriors = weights / (weights.sum() + 1 - prior)
    matches = tuple(
        Match(
            id=gallery.ids[i],
            name=gallery.names[i],
            score=round(float(scores[i]), 4),
            probability=round(p, 4),
        )
        for i, p in zip(top.tolist(), posteriors.tolist(), strict=True)
    )
    best = matches[0] if matches[0].probability >= manifest.verification.identify else None
    return Identity(best=best, candidates=matches)
