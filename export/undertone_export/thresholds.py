"""Thresholds of live verification, chosen for the error of whole sessions that are looked at every hop."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from undertone_export.calibrate import lacking
from undertone_export.rolling import RollingTrial, Session
from undertone_service.analysis.verification import SETTLED_SPEECH, log_likelihood_ratio
from undertone_service.bundle.manifest import Manifest, VerificationThresholds
from undertone_service.protocol.labels import Decision

_MINIMUM_SPEECH = (1.0, 1.5, 2.0, 3.0)
_ACCEPT_PER_LOG = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_LATE = 0.03
"""Most true claims not accepted after ten net seconds, on valid: so that 5 % hold for other speakers."""


@dataclass(frozen=True)
class _Evidence:
    """A session's looks: log odds f64[L] at even chances, net seconds of the voice and of the session, time."""

    genuine: bool
    odds: NDArray[np.float64]
    speech: NDArray[np.float64]
    heard: NDArray[np.float64]
    time: NDArray[np.float64]

    def margins(self, minimum_speech: float, per_log: float) -> NDArray[np.float64]:
        """Return f64[L], the log odds less what is demanded early; -inf where nothing is decided yet."""
        early = np.log(SETTLED_SPEECH / np.clip(self.speech, 0.1, SETTLED_SPEECH))
        return np.where(self.speech >= minimum_speech, self.odds - per_log * early, -np.inf)


@dataclass(frozen=True)
class _Rule:
    """A way to accept; what it costs true claims: the part still not accepted, and seconds until half are."""

    minimum_speech: float
    per_log: float
    accept: float
    late: float
    seconds: float

    @property
    def cost(self) -> tuple[float, float]:
        """The quickest of those that are seldom late, else the least late."""
        return max(self.late, _LATE), self.seconds


def choose_thresholds(
    manifest: Manifest, trial: RollingTrial, *, false_accept: float, false_reject: float
) -> VerificationThresholds:
    """Choose when to accept and when to reject. The manifest's voice calibration must be fitted.

    Acceptance is reached at any look by a part ``false_accept`` of the sessions with a false claim, rejection by a
    part ``false_reject`` of those with a true one. Of the rules that keep to it (net seconds before any decision,
    and how much more is demanded early on), the one that accepts true claims the quickest is taken.

    Raises:
        UndertoneError: ``bad_request`` where there is no session of a kind with enough speech to decide on.
    """
    evidence = [_evidence(manifest, trial, session) for session in trial.sessions]
    long = [one for one in evidence if (one.speech >= min(_MINIMUM_SPEECH)).any()]
    if all(one.genuine for one in long) or not any(one.genuine for one in long):
        raise lacking("speakers with three clips of enough speech, and others of the same corpus and sex")
    rules = [_rule(long, *shape, false_accept) for shape in product(_MINIMUM_SPEECH, _ACCEPT_PER_LOG)]
    rule = min(rules, key=lambda rule: rule.cost)
    lowest = [one.odds[one.speech >= rule.minimum_speech].min(initial=np.inf) for one in long if one.genuine]
    reject = max(min(1 - _strictly_above([-odds for odds in lowest], false_reject), 0.4), 1e-6)
    chosen = manifest.verification.model_copy(
        update={
            "accept": round(rule.accept, 6),
            "accept_per_log": rule.per_log,
            "reject": round(reject, 6),
            "release": round(rule.accept / 2, 4),
            "minimum_speech": rule.minimum_speech,
        }
    )
    return chosen.model_copy(update={"chosen_for": _measured(manifest, trial, chosen)})


def _evidence(manifest: Manifest, trial: RollingTrial, session: Session) -> _Evidence:
    claim = trial.claims[session.claimed]
    rows = [
        (
            log_likelihood_ratio(float(claim @ look.voiceprint), look.speech, manifest.calibration.voice),
            look.speech,
            look.heard,
            look.time,
        )
        for look in session.looks
        if look.voiceprint is not None
    ]
    return _Evidence(session.genuine, *np.array(rows, np.float64).reshape(-1, 4).T)


def _rule(evidence: Sequence[_Evidence], minimum: float, per_log: float, false_accept: float) -> _Rule:
    highest = [one.margins(minimum, per_log).max() for one in evidence if not one.genuine]
    accept = min(max(_strictly_above(highest, false_accept), 0.6), 1 - 1e-6)
    margin = math.log(accept / (1 - accept))
    late, seconds = [], []
    for one in evidence:
        if not one.genuine:
            continue
        accepted = one.margins(minimum, per_log) >= margin
        late.append(not (accepted & (one.heard <= SETTLED_SPEECH)).any())
        seconds.append(float(one.time[accepted.argmax()]) if accepted.any() else math.inf)
    return _Rule(minimum, per_log, accept, float(np.mean(late)), sorted(seconds)[len(seconds) // 2])


def _measured(manifest: Manifest, trial: RollingTrial, chosen: VerificationThresholds) -> dict[str, float]:
    outcomes = trial.outcomes(manifest.model_copy(update={"verification": chosen}))
    true = [outcome for session, outcome in outcomes if session.genuine]
    false = [outcome for session, outcome in outcomes if not session.genuine]
    return {
        "false claims ever accepted": _part(Decision.ACCEPTED in o.ever for o in false),
        "true claims that end accepted": _part(o.final is Decision.ACCEPTED for o in true),
        "true claims not accepted after 10 s": _part(not o.accepted_by(SETTLED_SPEECH) for o in true),
        "true claims ever rejected": _part(Decision.REJECTED in o.ever for o in true),
    }


def _strictly_above(values: Sequence[float], part: float) -> float:
    """Return a probability that at most this part of some log odds reach."""
    bound = sorted(values)[len(values) - math.floor(part * len(values)) - 1]
    return math.floor(_probability(bound) * 1e6 + 1) / 1e6


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(odds, -50.0), 50.0)))


def _part(answers: Iterable[bool]) -> float:
    values = list(answers)
    return round(sum(values) / max(len(values), 1), 4)
