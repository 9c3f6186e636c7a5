"""Many recordings through one bundle at once: the serving code, batched over recordings instead of live streams."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.sums import SpeechSum
from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.dsp import SAMPLE_RATE
from undertone_service.dsp.speech import ActiveStep, active_steps
from undertone_service.engine import DirectRunner, Lane, encode_steps
from undertone_service.offline import encode_recording
from undertone_service.store.voices import checked

_BATCH = 32


def sum_recordings(bundle: Bundle, recordings: Iterable[NDArray[np.float32]]) -> Iterator[SpeechSum]:
    """Sum each recording f32[n] at 16 kHz over its speech, in order; ``speech`` is 0 where none is found."""
    if isinstance(bundle, WindowBundle):
        for samples in recordings:
            yield asyncio.run(encode_recording(bundle, DirectRunner(), samples, SAMPLE_RATE))[0]
        return
    assert isinstance(bundle, StreamingBundle)
    waiting = iter(recordings)
    while batch := list(islice(waiting, _BATCH)):
        yield from _sum_batch(bundle, [active_steps(samples) for samples in batch])


def answer_sums(bundle: Bundle, sums: Iterable[SpeechSum]) -> list[Outputs | None]:
    """Return the outputs over each recording; None where no speech was found."""
    known = list(sums)
    heard = [total.statistics for total in known if bundle.answerable(total.statistics)]
    outputs = iter(bundle.answer(np.stack(heard)) if heard else [])
    return [next(outputs) if bundle.answerable(total.statistics) else None for total in known]


def join_voices(voices: Iterable[tuple[float, NDArray[np.float32]]]) -> NDArray[np.float32] | None:
    """Join recordings, net seconds and voiceprint f32[V] each, as the service's store does; None for none."""
    parts = [speech * voiceprint.astype(np.float64) for speech, voiceprint in voices]
    return checked(np.asarray(np.sum(parts, axis=0), np.float32)) if parts else None


def _sum_batch(bundle: StreamingBundle, recordings: list[list[ActiveStep]]) -> list[SpeechSum]:
    manifest = bundle.manifest
    totals = [SpeechSum(manifest.statistics_size) for _ in recordings]
    lanes = [Lane(bundle) for _ in recordings]
    confirmations = [SpeechConfirmation(manifest) for _ in recordings]
    for position in range(max(map(len, recordings), default=0)):
        rows = [i for i, steps in enumerate(recordings) if position < len(steps)]
        steps = [recordings[i][position] for i in rows]
        statistics = encode_steps(bundle, [lanes[i] for i in rows], steps)
        for i, step, row in zip(rows, steps, statistics, strict=True):
            for counted in confirmations[i].push(step, row):
                totals[i].add(counted.statistics, counted.speech)
    return totals
