"""One bundle beside another that should answer alike: size, speed, and how far answers differ."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_export.recordings import answer_sums, sum_recordings
from undertone_service.bundle.bundle import Outputs
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle
from undertone_service.dsp.speech import active_steps
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_ROUNDS = 30
_RUN_SECONDS = 0.03


@dataclass(frozen=True)
class Comparison:
    """How the one bundle stands to the other.

    ``size``: bytes of the graphs, as a ratio. ``speed_1``, ``speed_64``: steps a second of the encoder at these
    batch sizes, as ratios. Then the largest differences over ``recordings``: probabilities, years, and the least
    cosine between voiceprints of the same recording.
    """

    size: float
    speed_1: float
    speed_64: float
    recordings: int
    emotion: float
    gender: float
    age: float
    voiceprint: float


def compare(
    one: StreamingBundle, other: StreamingBundle, recordings: Sequence[NDArray[np.float32]]
) -> Comparison:
    """Compare on recordings f32[n] at 16 kHz.

    Raises:
        UndertoneError: ``bad_request`` where no speech is found in any.
    """
    pairs = [
        (a, b)
        for a, b in zip(_answers(one, recordings), _answers(other, recordings), strict=True)
        if a is not None and b is not None
    ]
    if not pairs:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, "No speech is found in the recordings to compare on.",
            "Give data whose split `valid` holds speech.",
        )  # fmt: skip
    return Comparison(
        size=_bytes(one) / _bytes(other),
        speed_1=_speed(one, other, recordings, 1),
        speed_64=_speed(one, other, recordings, 64),
        recordings=len(pairs),
        emotion=max(_largest(a.emotion, b.emotion) for a, b in pairs),
        gender=max(_largest(a.gender, b.gender) for a, b in pairs),
        age=max(abs(a.age - b.age) for a, b in pairs),
        voiceprint=min(float(a.voiceprint @ b.voiceprint) for a, b in pairs),
    )


def _answers(bundle: StreamingBundle, recordings: Sequence[NDArray[np.float32]]) -> list[Outputs | None]:
    return answer_sums(bundle, sum_recordings(bundle, recordings))


def _bytes(bundle: StreamingBundle) -> int:
    return sum((bundle.folder / graph).stat().st_size for graph in GRAPHS)


def _speed(
    one: StreamingBundle, other: StreamingBundle, recordings: Sequence[NDArray[np.float32]], batch: int
) -> float:
    """Return the median ratio of times of runs one beside the other: what disturbs the machine disturbs both."""
    steps = [step for samples in recordings for step in active_steps(samples)]
    chosen = [steps[i % len(steps)] for i in range(batch)]
    samples = np.stack([step.samples for step in chosen])
    speech = np.stack([step.mask for step in chosen])
    encoders = [_runner(bundle, samples, speech) for bundle in (one, other)]
    runs = max(1, round(_RUN_SECONDS / _seconds(encoders[1], 1)))
    ratios = []
    for _ in range(_ROUNDS):
        ours, theirs = (_seconds(encode, runs) for encode in encoders)
        ratios.append(theirs / ours)
    return statistics.median(ratios)


def _runner(
    bundle: StreamingBundle, samples: NDArray[np.float32], speech: NDArray[np.float32]
) -> Callable[[], object]:
    state = np.tile(bundle.new_state(), (len(samples), 1))
    _, state = bundle.encode(samples, speech, state)
    return lambda: bundle.encode(samples, speech, state)


def _seconds(run: Callable[[], object], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - begin


def _largest(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.max(np.abs(one - other)))
