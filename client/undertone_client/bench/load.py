"""What the streams of a bench say: recorded speech in turns with silences between, the same for the same recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_client.audio.file import FileSource
from undertone_service.dsp import SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.resample import resample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import STEP_SECONDS

LEAST_SPEECH = 10.0
"""Seconds of speech that the recordings have to hold: enough to enrol a voice, and not the same word over and over."""
LOAD_SECONDS = 120.0
_MOST_SECONDS = 600
_TURNS = (2.0, 6.0)
_SILENCE = 1e-4  # deviation of the noise in pauses: no line is digitally silent
_FADE = SAMPLE_RATE // 100  # cut speech does not click
_SEED = 6


class LoadKind(StrEnum):
    """How much of the time somebody speaks."""

    DENSE = "dense"
    CALL = "call"

    @property
    def turns(self) -> float:
        """Part of the time that turns take, 0 to 1. Net speech, which hang-over prolongs, is some per cents more."""
        return {"dense": 0.88, "call": 0.42}[self.value]


@dataclass(frozen=True)
class Load:
    """Audio said over and over: ``samples`` f32[n] at 16 kHz, ``speech`` bool[n / 1600], true in active steps."""

    samples: NDArray[np.float32]
    speech: NDArray[np.bool_]


def read(paths: Sequence[Path]) -> list[NDArray[np.float32]]:
    """Read recordings as f32[n] at 16 kHz, their channels mixed; of each, ten minutes at most.

    Raises:
        UndertoneError: ``bad_audio`` or ``unsupported_audio``.
    """
    return [_read(path) for path in paths]


def _read(path: Path) -> NDArray[np.float32]:
    with FileSource(path) as file:
        content = b"".join(islice(file.blocks(1.0), _MOST_SECONDS))
        whole = np.frombuffer(content, "<i2").reshape(-1, file.channels)
        return resample(whole.mean(axis=1, dtype=np.float32) / 32768, file.sample_rate, SAMPLE_RATE)


def cut_speech(recordings: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join the speech of recordings f32[n] at 16 kHz, found as the service finds it, without the silences.

    Raises:
        UndertoneError: ``not_enough_speech``.
    """
    from undertone_service.dsp.speech import active_steps  # here, since it needs the extra

    steps = [step.samples for samples in recordings for step in active_steps(samples)]
    if len(steps) * STEP_SECONDS < LEAST_SPEECH:
        raise UndertoneError(
            ErrorCode.NOT_ENOUGH_SPEECH,
            f"The recordings hold {len(steps) * STEP_SECONDS:.1f} s of speech.",
            f"Give at least {LEAST_SPEECH:g} s of it.",
        )
    return np.concatenate(steps)


def make_load(speech: NDArray[np.float32], kind: LoadKind, steps: int) -> Load:
    """Cut speech f32[n] into turns of 2 to 6 s with pauses in proportion, ``steps`` of 100 ms in all."""
    random = np.random.default_rng(_SEED)
    wanted = steps * STEP_SAMPLES
    samples = (_SILENCE * random.standard_normal(wanted)).astype(np.float32)
    spoken = at = 0
    while at < wanted:
        length = round(random.uniform(*_TURNS) * SAMPLE_RATE)
        turn = _faded(np.take(speech, np.arange(spoken, spoken + length), mode="wrap"))
        samples[at : at + length] += turn[: wanted - at]
        spoken += length
        at += round(length / kind.turns)
    return Load(samples, _active(samples))


def _faded(turn: NDArray[np.float32]) -> NDArray[np.float32]:
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    turn[:_FADE] *= ramp
    turn[-_FADE:] *= ramp[::-1]
    return turn


def _active(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    from undertone_service.dsp.speech import active_steps

    active = np.zeros(len(samples) // STEP_SAMPLES, np.bool_)
    active[[step.index for step in active_steps(samples)]] = True
    return active
