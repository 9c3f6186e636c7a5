"""What the service would know after so many seconds of a recording: outputs, net speech, noise."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.loudness import Loudness
from undertone_service.analysis.sums import Contribution, SpeechSum
from undertone_service.bundle.manifest import Manifest
from undertone_service.bundle.streaming import Bundle, Outputs
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.dsp.speech import ActiveStep, HeardStep, SpeechDetector
from undertone_service.engine import Lane, encode_steps

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Passage:
    """A recording's first ``speech`` net seconds, in ``length`` the seconds that were asked for (None: all).

    ``snr_db`` is the service's estimate; None while the channel's noise is unknown, which takes five seconds.
    """

    outputs: Outputs
    speech: float
    length: float | None
    snr_db: float | None


@dataclass(frozen=True, slots=True)
class _Step:
    active: ActiveStep
    level: float
    floor: float


@dataclass(slots=True)
class _Listener:
    """Sums one recording, and keeps what the sums were at each length asked for."""

    lane: Lane
    confirmation: SpeechConfirmation
    total: SpeechSum
    steps: list[_Step]
    lengths: list[float]
    loudness: Loudness = field(default_factory=Loudness)
    taken: list[tuple[NDArray[np.float64], float, float | None, float | None]] = field(default_factory=list)

    def hear(self, step: _Step, statistics: NDArray[np.float32]) -> None:
        for counted in self.confirmation.push(step.active, statistics, step.level):
            self._add(counted, step.floor)

    def _add(self, counted: Contribution, floor: float) -> None:
        self.total.add(counted.statistics, counted.speech)
        self.loudness.add(counted.level, floor, counted.speech)
        while self.lengths and self.total.speech >= self.lengths[0] - 1e-6:
            self.take(self.lengths.pop(0))

    def take(self, length: float | None) -> None:
        if self.total.speech:
            self.taken.append((self.total.statistics.copy(), self.total.speech, length, self.loudness.snr_db))


def listen(
    bundle: Bundle, recordings: Iterable[NDArray[np.float32]], lengths: Sequence[float]
) -> Iterator[list[Passage]]:
    """Hear each recording f32[n] at 16 kHz once; return its passages of these net seconds and, last, the whole.

    There is no passage of a length that the recording's speech does not reach, and none at all without speech.
    """
    waiting = iter(recordings)
    while batch := list(islice(waiting, _BATCH)):
        listeners = [_listener(bundle, samples, lengths) for samples in batch]
        _hear(bundle, listeners)
        for listener in listeners:
            listener.take(None)
            rows = [statistics for statistics, *_ in listener.taken]
            outputs = bundle.answer(np.stack(rows)) if rows else []
            yield [
                Passage(answer, speech, length, snr_db)
                for answer, (_, speech, length, snr_db) in zip(outputs, listener.taken, strict=True)
            ]


def _listener(bundle: Bundle, samples: NDArray[np.float32], lengths: Sequence[float]) -> _Listener:
    manifest: Manifest = bundle.manifest
    detector = SpeechDetector()
    steps: list[_Step] = []

    def keep(some: list[HeardStep]) -> None:
        for heard in some:
            steps.extend(_Step(active, heard.level, detector.noise_floor) for active in heard.active)

    for start in range(0, len(samples), STEP_SAMPLES):
        keep(detector.push(samples[start : start + STEP_SAMPLES]))
    keep(detector.flush())
    total = SpeechSum(manifest.statistics_size)
    return _Listener(Lane(bundle), SpeechConfirmation(manifest), total, steps, sorted(lengths))


def _hear(bundle: Bundle, listeners: Sequence[_Listener]) -> None:
    for position in range(max((len(listener.steps) for listener in listeners), default=0)):
        going = [listener for listener in listeners if position < len(listener.steps)]
        steps = [listener.steps[position] for listener in going]
        statistics = encode_steps(bundle, [listener.lane for listener in going], [s.active for s in steps])
        for listener, step, row in zip(going, steps, statistics, strict=True):
            listener.hear(step, row)
