"""From raw outputs to honest answers: everything fitted on the valid split, stored in the manifest."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from undertone_export.recordings import answer_sums, join_voices, sum_recordings
from undertone_export.rolling import RollingTrial
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_service.analysis.verification import score_to_probability
from undertone_service.bundle.manifest import Calibration, Manifest, VerificationThresholds, VoiceCalibration
from undertone_service.bundle.streaming import Bundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Decision

_INTERVAL = (0.1, 0.9)
_SPEECH_RANGE = (0.5, 20.0)
_CUTS = (1, 3, 5)


def fit_answers(
    bundle: Bundle, clips: Sequence[Clip], cache: AudioCache, unsure_gender: Sequence[str]
) -> tuple[float, float, float, float]:
    """Return the temperatures of emotion and gender, and the age interval's ends in years from the estimate.

    Raises:
        UndertoneError: ``bad_request`` where a task has no label to fit to.
    """
    outputs = answer_sums(bundle, sum_recordings(bundle, (cache[clip.path] for clip in clips)))
    heard = [(clip, out) for clip, out in zip(clips, outputs, strict=True) if out is not None]
    emotions, genders = list(bundle.manifest.emotions), list(bundle.manifest.genders)
    emotional = [(out.emotion, emotions.index(c.emotion)) for c, out in heard if c.emotion]
    gendered = [(o.gender, genders.index(c.sex)) for c, o in heard if c.sex and c.corpus not in unsure_gender]
    errors = [clip.age - out.age for clip, out in heard if clip.age is not None]
    for name, known in (("emotion", emotional), ("sex", gendered), ("age in years", errors)):
        if not known:
            raise _lacking(f"a clip of known {name}, with speech in it")
    low, high = np.quantile(errors, _INTERVAL)
    return temperature(emotional), temperature(gendered), round(float(low), 1), round(float(high), 1)


def temperature(answers: Sequence[tuple[NDArray[np.float32], int]]) -> float:
    """Return the temperature that makes the true answers most likely (Guo et al. 2017, section 4.2)."""
    logs = np.log(np.maximum(np.stack([p for p, _ in answers]).astype(np.float64), 1e-12))
    truth = np.array([label for _, label in answers])

    def loss(log_temperature: float) -> float:
        scaled = logs / math.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float(np.mean(normaliser - scaled[np.arange(len(truth)), truth]))

    return round(math.exp(minimize_scalar(loss, bounds=(-1.5, 2.0), method="bounded").x), 4)


def fit_voice(bundle: Bundle, trials: Sequence[Trial], cache: AudioCache) -> VoiceCalibration:
    """Fit cosine and net speech to log likelihood ratios, on probes of 1, 3 and 5 s and of full length.

    Logistic regression with both kinds of trial weighing the same (Brümmer and du Preez, 2006).

    Raises:
        UndertoneError: ``bad_request`` where no trial of a kind has speech.
    """
    scores, speech, target = score_trials(bundle, trials, cache)
    if not target.any() or target.all():
        raise _lacking("trials of both kinds, the same and another speaker")
    logs = np.log(np.clip(speech, *_SPEECH_RANGE))
    features = np.stack([scores, scores * logs, np.ones(len(scores)), logs], axis=1)
    signs = np.where(target, 1.0, -1.0)
    weights = np.where(target, 0.5 / target.sum(), 0.5 / (~target).sum())

    def loss(parameters: NDArray[np.float64]) -> float:
        return float(weights @ np.logaddexp(0, -signs * (features @ parameters))) + 1e-6 * float(
            parameters @ parameters
        )

    slope, slope_per_log, offset, offset_per_log = minimize(loss, np.array([20.0, 0.0, -8.0, 0.0])).x
    return VoiceCalibration(
        slope=round(float(slope), 4),
        slope_per_log=round(float(slope_per_log), 4),
        offset=round(float(offset), 4),
        offset_per_log=round(float(offset_per_log), 4),
        speech_range=_SPEECH_RANGE,
    )


def score_trials(
    bundle: Bundle, trials: Sequence[Trial], cache: AudioCache
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return cosines, net seconds and truth of all trials at every length that they have."""
    wanted: dict[tuple[Path, int | None], None] = {}
    for trial in trials:
        wanted |= {(path, None): None for path in (*trial.enroll, trial.probe)}
        wanted |= {(trial.probe, trial.cuts[n]): None for n in _CUTS if trial.cuts.get(n)}
    keys = [key for key in wanted if key[0] in cache]
    sums = list(sum_recordings(bundle, (cache[path][:cut] for path, cut in keys)))
    known = dict(zip(keys, zip(sums, answer_sums(bundle, sums), strict=True), strict=True))
    scores, speech, target = [], [], []
    for trial in trials:
        enrolled = [known[path, None] for path in trial.enroll if (path, None) in known]
        claim = join_voices((total.speech, out.voiceprint) for total, out in enrolled if out is not None)
        for cut in (None, *(trial.cuts[n] for n in _CUTS if trial.cuts.get(n))):
            total, probe = known.get((trial.probe, cut), (None, None))
            if claim is None or total is None or probe is None:
                continue
            scores.append(float(claim @ probe.voiceprint))
            speech.append(total.speech)
            target.append(trial.target)
    return np.array(scores), np.array(speech), np.array(target, dtype=bool)


def choose_thresholds(
    manifest: Manifest, trial: RollingTrial, *, false_accept: float, false_reject: float
) -> VerificationThresholds:
    """Choose the decision thresholds for the error of whole sessions, looked at every hop.

    ``accept`` is exceeded at any look by a part ``false_accept`` of the sessions with a false claim; ``reject`` is
    undercut at any look by a part ``false_reject`` of those with a true one. The manifest must be calibrated.

    Raises:
        UndertoneError: ``bad_request`` where there is no session of a kind with enough speech to decide on.
    """
    highest: list[float] = []
    lowest: list[float] = []
    for session in trial.sessions:
        claim = trial.claims[session.claimed]
        probabilities = [
            score_to_probability(float(claim @ look.voiceprint), look.speech, manifest.calibration.voice, 0.5)
            for look in session.looks
            if look.voiceprint is not None and look.speech >= manifest.verification.minimum_speech
        ]
        if probabilities:
            (lowest if session.genuine else highest).append((min if session.genuine else max)(probabilities))
    if not highest or not lowest:
        raise _lacking("speakers with three clips of enough speech, and others of the same corpus and sex")
    accept = min(max(float(np.quantile(highest, 1 - false_accept)), 0.6), 0.9999)
    reject = max(min(float(np.quantile(lowest, false_reject)), 0.4), 0.0001)
    chosen = manifest.verification.model_copy(
        update={"accept": round(accept, 4), "reject": round(reject, 4), "release": round(accept / 2, 4)}
    )
    outcomes = trial.outcomes(manifest.model_copy(update={"verification": chosen}))
    true = [outcome for session, outcome in outcomes if session.genuine]
    false = [outcome for session, outcome in outcomes if not session.genuine]
    measured = {
        "false claims ever accepted": _part(Decision.ACCEPTED in o.ever for o in false),
        "true claims that end accepted": _part(o.final is Decision.ACCEPTED for o in true),
        "true claims ever rejected": _part(Decision.REJECTED in o.ever for o in true),
    }
    return chosen.model_copy(update={"chosen_for": measured})


def calibrated(
    manifest: Manifest, answers: tuple[float, float, float, float], voice: VoiceCalibration
) -> Manifest:
    """Return the manifest with what was fitted."""
    emotion, gender, low, high = answers
    calibration = Calibration(
        emotion_temperature=emotion, gender_temperature=gender, age_low=low, age_high=high, voice=voice
    )
    return manifest.model_copy(update={"calibration": calibration})


def _lacking(what: str) -> UndertoneError:
    return UndertoneError(
        ErrorCode.BAD_REQUEST,
        f"The split `valid` lacks {what}.",
        "Calibration is fitted on it: give more data.",
    )


def _part(answers: Iterable[bool]) -> float:
    values = list(answers)
    return round(sum(values) / max(len(values), 1), 4)
