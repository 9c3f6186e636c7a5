"""Rolling verification: calibration, decisions with hysteresis, change of voice, identification."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.service.manifests import manifest
from undertone_service.analysis.verification import (
    Verifier,
    identify,
    log_likelihood_ratio,
    probability_to_accept,
    same_voice,
    score_to_probability,
)
from undertone_service.bundle.manifest import Calibration, VerificationThresholds, VoiceCalibration
from undertone_service.protocol.labels import Decision
from undertone_service.store.voices import Gallery

ACCEPTED, REJECTED, UNDECIDED = Decision.ACCEPTED, Decision.REJECTED, Decision.UNDECIDED
CALIBRATION = VoiceCalibration(slope=20, slope_per_log=4, offset=-8, offset_per_log=-1)
THRESHOLDS = VerificationThresholds(accept=0.9, reject=0.1, release=0.5, minimum_speech=1.0)
MANIFEST = manifest(calibration=Calibration(voice=CALIBRATION), verification=THRESHOLDS)
CLAIMED = np.array([1.0, 0.0], np.float32)


def at(score: float) -> NDArray[np.float32]:
    """Return a unit voiceprint of this cosine to the claimed one."""
    return np.array([score, math.sqrt(1 - score * score)], np.float32)


def probe(probability: float) -> NDArray[np.float32]:
    """Return the voiceprint that earns a probability at one second of speech and an even prior."""
    logit = math.log(probability / (1 - probability))
    return at((logit + 8) / 20)


def decisions(probabilities: list[float], speech: float = 1.0) -> list[Decision]:
    verifier = Verifier("ann", CLAIMED, MANIFEST, 0.5)
    return [verifier.look(probe(p), speech).decision for p in probabilities]


def test_the_ratio_knows_the_seconds_of_speech() -> None:
    assert log_likelihood_ratio(0.5, 1.0, CALIBRATION) == pytest.approx(2.0)
    assert log_likelihood_ratio(0.5, math.e, CALIBRATION) == pytest.approx(12 - 9)
    assert log_likelihood_ratio(0.5, 0.01, CALIBRATION) == log_likelihood_ratio(0.5, 0.5, CALIBRATION)
    assert log_likelihood_ratio(0.5, 9e9, CALIBRATION) == log_likelihood_ratio(0.5, 20.0, CALIBRATION)


def test_probability_at_a_stated_prior() -> None:
    assert score_to_probability(0.4, 1.0, CALIBRATION, 0.5) == pytest.approx(0.5)
    assert score_to_probability(0.4, 1.0, CALIBRATION, 0.1) == pytest.approx(0.1)
    steep = VoiceCalibration(slope=1e6)
    assert score_to_probability(-1, 1.0, steep, 0.5) == pytest.approx(0)
    assert score_to_probability(1, 1.0, steep, 0.5) == pytest.approx(1)


def test_what_is_accepted_stays_so_until_it_falls_below_release() -> None:
    assert decisions([0.6, 0.95, 0.7, 0.51, 0.45, 0.6]) == [
        UNDECIDED, ACCEPTED, ACCEPTED, ACCEPTED, UNDECIDED, UNDECIDED,
    ]  # fmt: skip


def test_what_is_rejected_is_taken_back_only_by_acceptance() -> None:
    assert decisions([0.05, 0.3, 0.8, 0.95]) == [REJECTED, REJECTED, REJECTED, ACCEPTED]


def test_from_accepted_to_rejected_at_once() -> None:
    assert decisions([0.95, 0.02]) == [ACCEPTED, REJECTED]


def test_nothing_is_decided_on_too_little_speech() -> None:
    assert decisions([0.99, 0.01], speech=0.9) == [UNDECIDED, UNDECIDED]


def test_the_less_was_heard_the_more_is_demanded() -> None:
    early = THRESHOLDS.model_copy(update={"accept_per_log": 1.0})
    assert [probability_to_accept(THRESHOLDS, speech) for speech in (0.0, 1.0, 30.0)] == [0.9] * 3
    assert [probability_to_accept(early, speech) for speech in (10.0, 60.0)] == [0.9, 0.9]
    assert probability_to_accept(early, 1.0) == pytest.approx(90 / 91)  # odds of 9 to 1, times ten
    verifier = Verifier("ann", CLAIMED, MANIFEST.model_copy(update={"verification": early}), 0.5)
    assert verifier.look(probe(0.95), 1.0).decision is UNDECIDED
    assert verifier.look(probe(0.995), 1.0).decision is ACCEPTED


def test_a_look_says_what_it_rests_on() -> None:
    speaker = Verifier("ann", CLAIMED, MANIFEST, 0.5).look(at(0.5), 1.234)
    assert (speaker.id, speaker.score, speaker.speech) == ("ann", 0.5, 1.23)
    assert speaker.probability == pytest.approx(score_to_probability(0.5, 1.234, CALIBRATION, 0.5), abs=1e-4)


def test_a_change_of_voice_begins_anew() -> None:
    verifier = Verifier("ann", CLAIMED, MANIFEST, 0.5)
    assert verifier.look(probe(0.95), 2.0).decision is ACCEPTED
    verifier.restart()
    assert verifier.look(probe(0.6), 0.5).decision is UNDECIDED


def test_the_same_voice_is_the_same() -> None:
    score, same = same_voice(at(0.3), at(0.3), 1.0, MANIFEST)
    assert same
    assert score == pytest.approx(1.0)
    score, same = same_voice(at(1.0), at(0.1), 1.0, MANIFEST)
    assert not same
    assert score == pytest.approx(0.1)


def gallery(*scores: float) -> Gallery:
    names = tuple(f"s{i}" for i in range(len(scores)))
    return Gallery(names, names, np.stack([at(score) for score in scores]))


def test_an_empty_gallery_holds_nobody() -> None:
    empty = Gallery((), (), np.zeros((0, 2), np.float32))
    assert identify(empty, CLAIMED, 1.0, MANIFEST, 0.5).model_dump() == {"best": None, "candidates": ()}


def test_the_voice_that_fits_is_found_among_others() -> None:
    found = identify(gallery(0.1, 0.9, -0.2), CLAIMED, 1.0, MANIFEST, 0.5)
    assert found.best is not None
    assert (found.best.id, found.best.score) == ("s1", 0.9)
    assert [match.id for match in found.candidates] == ["s1", "s0", "s2"]


def test_a_stranger_is_none_of_them() -> None:
    found = identify(gallery(0.1, 0.2, -0.5), CLAIMED, 1.0, MANIFEST, 0.5)
    assert found.best is None
    assert len(found.candidates) == 3


def test_posteriors_leave_room_for_none_of_them_and_for_doubt_between_two() -> None:
    found = identify(gallery(0.8, 0.8), CLAIMED, 1.0, MANIFEST, 0.5)
    assert sum(match.probability for match in found.candidates) <= 1
    assert [match.probability for match in found.candidates] == [pytest.approx(0.5, abs=1e-3)] * 2


def test_a_voice_is_less_likely_in_a_larger_gallery() -> None:
    few = identify(gallery(0.55, 0.0), CLAIMED, 1.0, MANIFEST, 0.5).candidates[0]
    many = identify(gallery(0.55, *[0.0] * 200), CLAIMED, 1.0, MANIFEST, 0.5).candidates[0]
    assert many.probability < few.probability
