"""What the service would know after so many seconds of a recording: outputs, net speech, noise."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.hearing import WindowHearing
from undertone_service.analysis.loudness import Loudness
from undertone_service.analysis.sums import Contribution, SpeechSum, Window
from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.dsp.speech import ActiveStep, HeardStep, SpeechDetector
from undertone_service.engine import DirectRunner, Lane, encode_steps

_BATCH = 32
_HOP = 10  # steps between windows, where the bundle hears windows


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
    if isinstance(bundle, WindowBundle):
        for samples in recordings:
            yield asyncio.run(_heard_in_windows(bundle, samples, sorted(lengths)))
        return
    assert isinstance(bundle, StreamingBundle)
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


def _listener(bundle: StreamingBundle, samples: NDArray[np.float32], lengths: Sequence[float]) -> _Listener:
    detector = SpeechDetector()
    steps: list[_Step] = []

    def keep(some: list[HeardStep]) -> None:
        for heard in some:
            steps.extend(_Step(active, heard.level, detector.noise_floor) for active in heard.active)

    for start in range(0, len(samples), STEP_SAMPLES):
        keep(detector.push(samples[start : start + STEP_SAMPLES]))
    keep(detector.flush())
    total = SpeechSum(bundle.statistics_size)
    return _Listener(Lane(bundle), SpeechConfirmation(bundle.manifest), total, steps, sorted(lengths))


def _hear(bundle: StreamingBundle, listeners: Sequence[_Listener]) -> None:
    for position in range(max((len(listener.steps) for listener in listeners), default=0)):
        going = [listener for listener in listeners if position < len(listener.steps)]
        steps = [listener.steps[position] for listener in going]
        statistics = encode_steps(bundle, [listener.lane for listener in going], [s.active for s in steps])
        for listener, step, row in zip(going, steps, statistics, strict=True):
            listener.hear(step, row)


async def _heard_in_windows(
    bundle: WindowBundle, samples: NDArray[np.float32], lengths: list[float]
) -> list[Passage]:
    """Hear one recording with a window at every second, and one more where a passage ends."""
    ear, detector = WindowHearing(bundle, DirectRunner()), SpeechDetector()
    confirmation, loudness = SpeechConfirmation(bundle.manifest), Loudness()
    window, total = Window(bundle.fixed_window or _HOP), SpeechSum(bundle.statistics_size)
    taken: list[tuple[NDArray[np.float64], float, float | None, float | None]] = []
    heard = np.pad(samples, (0, -len(samples) % STEP_SAMPLES))
    for start in range(0, len(heard), STEP_SAMPLES):
        ear.pass_by(heard[start : start + STEP_SAMPLES])
        (step,) = detector.push(heard[start : start + STEP_SAMPLES])
        for active in step.active:
            for counted in confirmation.push(active, await ear.encode(active), step.level):
                total.add(counted.statistics, counted.speech)
                window.add(counted)
                loudness.add(counted.level, detector.noise_floor, counted.speech)
        window.expire(step.index + 1)
        last = start + STEP_SAMPLES == len(heard)
        due = [length for length in lengths if total.speech >= length - 1e-6]
        if not (due or last or (step.index + 1) % _HOP == 0):
            continue
        look = await ear.look(step.index + 1, window.speech)
        now = total.statistics if look is None else total.statistics + look
        if bundle.answerable(now):
            taken += [
                (now, total.speech, length, loudness.snr_db) for length in (*due, *([None] if last else []))
            ]
        lengths = lengths[len(due) :]
        if look is not None and (last or (step.index + 1) % _HOP == 0):
            total.add(look, 0.0)
    outputs = bundle.answer(np.stack([statistics for statistics, *_ in taken])) if taken else []
    return [
        Passage(answer, speech, length, snr_db)
        for answer, (_, speech, length, snr_db) in zip(outputs, taken, strict=True)
    ]
