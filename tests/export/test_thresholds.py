"""Thresholds keep the error rates of whole sessions that they are chosen for."""

import math

import numpy as np
import pytest

from tests.service.manifests import manifest
from undertone_export.looks import Look
from undertone_export.rolling import RollingTrial, Session
from undertone_export.thresholds import choose_thresholds
from undertone_service.analysis.verification import SETTLED_SPEECH
from undertone_service.bundle.manifest import Calibration, VoiceCalibration
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Decision

MANIFEST = manifest(calibration=Calibration(voice=VoiceCalibration(slope=8.0, offset=-3.2)))


def sessions(count: int = 400, apart: float = 0.2, spread: float = 0.12, early: float = 0.05) -> RollingTrial:
    """Return sessions of one speaker's voice and as many of others', 24 looks each, that steady with time."""
    random = np.random.default_rng(0)
    made = []
    for number in range(2 * count):
        genuine = number < count
        centre = random.normal(0.3 + apart * genuine, spread)
        looks = [Look(0.3, 0.3, 0.3, np.array([0.0 if genuine else 1.0, 1.0], np.float32))]
        for look in range(24):
            speech = 1.0 + 0.5 * look
            score = float(np.clip(centre + random.normal(0, early / math.sqrt(speech)), -1, 1))
            looks.append(Look(speech, speech, speech, np.array([score, math.sqrt(1 - score**2)], np.float32)))
        made.append(Session("saa", "a" if genuine else "b", "a", looks))
    return RollingTrial(made, {"a": np.array([1, 0], np.float32)})


@pytest.mark.parametrize(("false_accept", "false_reject"), [(0.05, 0.02), (0.01, 0.1)])
def test_they_keep_the_errors_of_whole_sessions(false_accept: float, false_reject: float) -> None:
    trial = sessions()
    chosen = choose_thresholds(MANIFEST, trial, false_accept=false_accept, false_reject=false_reject)
    outcomes = trial.outcomes(MANIFEST.model_copy(update={"verification": chosen}))
    accepted = np.mean([Decision.ACCEPTED in o.ever for s, o in outcomes if not s.genuine])
    rejected = np.mean([Decision.REJECTED in o.ever for s, o in outcomes if s.genuine])
    assert false_accept - 0.006 <= accepted <= false_accept
    assert false_reject - 0.006 <= rejected <= false_reject
    assert chosen.reject < chosen.release < chosen.accept
    assert chosen.chosen_for["false claims ever accepted"] == pytest.approx(accepted, abs=1e-4)
    assert chosen.chosen_for["true claims ever rejected"] == pytest.approx(rejected, abs=1e-4)
    late = np.mean([not o.accepted_by(SETTLED_SPEECH) for s, o in outcomes if s.genuine])
    assert chosen.chosen_for["true claims not accepted after 10 s"] == pytest.approx(late, abs=1e-4)


def test_where_early_looks_err_more_they_are_held_back() -> None:
    steady, wavering = (
        choose_thresholds(
            MANIFEST, sessions(apart=0.5, spread=0.05, early=early), false_accept=0.01, false_reject=0.02
        )
        for early in (0.01, 0.25)
    )
    assert (steady.minimum_speech, steady.accept_per_log) == (1.0, 0.0)
    assert (wavering.minimum_speech, wavering.accept_per_log) > (1.0, 0.0)


def test_they_need_sessions_of_both_kinds() -> None:
    trial = sessions(5)
    one_kind = RollingTrial([s for s in trial.sessions if s.genuine], trial.claims)
    for lacking in (one_kind, RollingTrial([], {})):
        with pytest.raises(UndertoneError) as refused:
            choose_thresholds(MANIFEST, lacking, false_accept=0.02, false_reject=0.02)
        assert refused.value.code is ErrorCode.BAD_REQUEST
