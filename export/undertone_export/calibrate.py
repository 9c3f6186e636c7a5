"""From cosines to log likelihood ratios: the calibration of voices, fitted on the trials of the valid split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from undertone_export.recordings import answer_sums, join_voices, sum_recordings
from undertone_models.data.audio import AudioCache
from undertone_models.data.trials import Trial
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import VoiceCalibration
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_SPEECH_RANGE = (0.5, 20.0)
_CUTS = (1, 3, 5)


def fit_voice(bundle: Bundle, trials: Sequence[Trial], cache: AudioCache) -> VoiceCalibration:
    """Fit cosine and net speech to log likelihood ratios, on probes of 1, 3 and 5 s and of full length.

    Logistic regression with both kinds of trial weighing the same (Brümmer and du Preez, 2006).

    Raises:
        UndertoneError: ``bad_request`` where no trial of a kind has speech.
    """
    scores, speech, target = score_trials(bundle, trials, cache)
    if not target.any() or target.all():
        raise lacking("trials of both kinds, the same and another speaker")
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


def lacking(what: str) -> UndertoneError:
    """Return the refusal to calibrate on a valid split that lacks something."""
    return UndertoneError(
        ErrorCode.BAD_REQUEST,
        f"The split `valid` lacks {what}.",
        "Calibration is fitted on it: give more data.",
    )
