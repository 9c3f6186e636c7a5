"""Calibration recovers what is known, and thresholds keep the error rates that they are chosen for."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.small_corpus import cache_in, valid_trials, write_clips
from tests.tiny_bundle import NAME
from undertone_export import calibrate
from undertone_export.calibrate import (
    calibrated,
    choose_thresholds,
    fit_answers,
    fit_voice,
    score_trials,
    temperature,
)
from undertone_export.looks import Look
from undertone_export.rolling import RollingTrial, Session
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_service.analysis.verification import log_likelihood_ratio
from undertone_service.bundle.manifest import Manifest, VoiceCalibration
from undertone_service.bundle.streaming import Bundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Decision

CALIBRATION = VoiceCalibration(slope=8.0, offset=-3.2)


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    return Bundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Clip], list[Trial], AudioCache]]:
    folder = tmp_path_factory.mktemp("corpus")
    clips = write_clips(folder)
    with cache_in(folder / "cache"):
        kept = [clip for clip in clips if clip.split == "valid"]
        yield kept, valid_trials(clips), AudioCache.build([clip.path for clip in kept], "valid")


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("known", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(known: float) -> None:
    random = np.random.default_rng(0)
    logits = 3 * random.standard_normal((6000, 4))
    truth = [int(random.choice(4, p=p)) for p in softmax(logits / known)]
    answers = list(zip(softmax(logits).astype(np.float32), truth, strict=True))
    assert temperature(answers) == pytest.approx(known, rel=0.08)


def test_the_fit_of_scores_is_found(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    known = VoiceCalibration(slope=12.0, slope_per_log=3.0, offset=-5.0, offset_per_log=-1.0)
    random = np.random.default_rng(0)
    scores, speech = (
        random.uniform(-0.2, 1.0, 30_000),
        np.exp(random.uniform(math.log(0.7), math.log(15), 30_000)),
    )
    ratios = np.array(
        [log_likelihood_ratio(a, b, known) for a, b in zip(scores, speech, strict=True)]
    )  # fmt: skip
    target = random.random(len(ratios)) < 1 / (1 + np.exp(-ratios))
    monkeypatch.setattr(calibrate, "score_trials", lambda *_: (scores, speech, target))
    found = fit_voice(bundle, [], AudioCache(np.zeros(0, np.int16), {}))
    # Both kinds weigh the same, whatever their numbers: the offset moves by the logarithm of their odds.
    odds = math.log(target.sum() / (~target).sum())
    assert found.slope == pytest.approx(known.slope, rel=0.05)
    assert found.slope_per_log == pytest.approx(known.slope_per_log, abs=0.4)
    assert found.offset + odds == pytest.approx(known.offset, abs=0.25)
    assert found.offset_per_log == pytest.approx(known.offset_per_log, abs=0.3)


def test_trials_are_scored_at_every_length_that_they_have(
    bundle: Bundle, valid: tuple[list[Clip], list[Trial], AudioCache]
) -> None:
    _, trials, cache = valid
    scores, speech, target = score_trials(bundle, trials, cache)
    assert len(scores) == len(speech) == len(target) == 2 * len(trials) == 32  # whole, and a cut of 1 s
    assert target.sum() == 8
    assert (np.abs(scores) <= 1 + 1e-6).all()
    whole, cut = speech[::2], speech[1::2]
    assert (cut < 1.2).all()
    assert (whole > 2).all()
    gone = Trial((Path("nowhere.wav"),), trials[0].probe, True, "x", "saa", 3.0, {1: None, 3: None, 5: None})
    assert len(score_trials(bundle, [gone], cache)[0]) == 0


def test_answers_are_fitted_to_the_valid_split(
    bundle: Bundle, valid: tuple[list[Clip], list[Trial], AudioCache]
) -> None:
    clips, _, cache = valid
    emotion, gender, low, high = fit_answers(bundle, clips, cache, ())
    assert emotion > 0
    assert gender > 0
    assert low < high
    with pytest.raises(UndertoneError, match="known sex") as refused:
        fit_answers(bundle, clips, cache, ("saa",))
    assert refused.value.code is ErrorCode.BAD_REQUEST


def sessions(count: int = 400) -> RollingTrial:
    """Return sessions of one speaker's voice and as many of others', eight looks each, at wandering scores."""
    random = np.random.default_rng(0)
    made = []
    for number in range(2 * count):
        genuine = number < count
        centre = random.normal(0.5 if genuine else 0.3, 0.12)
        looks = []
        for look in range(8):
            score = float(np.clip(centre + random.normal(0, 0.05), -1, 1))
            voiceprint = np.array([score, math.sqrt(1 - score**2)], np.float32)
            looks.append(Look(1.0 + 0.5 * look, 1.0 + 0.5 * look, voiceprint))
        looks.insert(0, Look(0.5, 0.5, np.array([0.0 if genuine else 1.0, 1.0], np.float32)))
        made.append(Session("saa", "a" if genuine else "b", "a", looks))
    return RollingTrial(made, {"a": np.array([1, 0], np.float32)})


@pytest.mark.parametrize(("false_accept", "false_reject"), [(0.05, 0.02), (0.01, 0.1)])
def test_thresholds_keep_the_errors_of_whole_sessions(
    bundle: Bundle, false_accept: float, false_reject: float
) -> None:
    manifest = calibrated(bundle.manifest, (1.0, 1.0, -5.0, 5.0), CALIBRATION)
    trial = sessions()
    chosen = choose_thresholds(manifest, trial, false_accept=false_accept, false_reject=false_reject)
    outcomes = trial.outcomes(manifest.model_copy(update={"verification": chosen}))
    accepted = np.mean([Decision.ACCEPTED in o.ever for s, o in outcomes if not s.genuine])
    rejected = np.mean([Decision.REJECTED in o.ever for s, o in outcomes if s.genuine])
    assert accepted == pytest.approx(false_accept, abs=0.006)
    assert rejected == pytest.approx(false_reject, abs=0.006)
    assert chosen.reject < chosen.release < chosen.accept
    assert chosen.chosen_for["false claims ever accepted"] == pytest.approx(accepted, abs=1e-4)
    assert chosen.chosen_for["true claims ever rejected"] == pytest.approx(rejected, abs=1e-4)
    ended = np.mean([o.final is Decision.ACCEPTED for s, o in outcomes if s.genuine])
    assert chosen.chosen_for["true claims that end accepted"] == pytest.approx(ended, abs=1e-4)


def test_thresholds_need_sessions_of_both_kinds(bundle: Bundle) -> None:
    trial = sessions(5)
    one_kind = RollingTrial([s for s in trial.sessions if s.genuine], trial.claims)
    for lacking in (one_kind, RollingTrial([], {})):
        with pytest.raises(UndertoneError) as refused:
            choose_thresholds(bundle.manifest, lacking, false_accept=0.02, false_reject=0.02)
        assert refused.value.code is ErrorCode.BAD_REQUEST


def test_the_fit_needs_trials_of_both_kinds(
    bundle: Bundle, valid: tuple[list[Clip], list[Trial], AudioCache]
) -> None:
    _, trials, cache = valid
    for kept in ([], [trial for trial in trials if trial.target]):
        with pytest.raises(UndertoneError) as refused:
            fit_voice(bundle, kept, cache)
        assert refused.value.code is ErrorCode.BAD_REQUEST


def test_what_was_fitted_is_in_the_manifest(bundle: Bundle) -> None:
    manifest: Manifest = calibrated(bundle.manifest, (1.5, 0.8, -7.5, 11.0), CALIBRATION)
    found = manifest.calibration
    assert (found.emotion_temperature, found.gender_temperature) == (1.5, 0.8)
    assert (found.age_low, found.age_high) == (-7.5, 11.0)
    assert found.voice == CALIBRATION
    assert manifest.digest == bundle.manifest.digest
