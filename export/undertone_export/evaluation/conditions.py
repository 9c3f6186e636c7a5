"""What clips go through before they are heard: a room, then noise, then a telephone line; the same for every system.

A condition is a pure function of the whole clip and its path: the path seeds what is drawn, so that every system
and every run hears the same audio. Enrolments go through the line alone, as on the same telephone; rooms and noise
come with the probe. A probe's first seconds are cut from the disturbed clip.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_models.data.audio import UnreadableAudio, load_audio
from undertone_models.data.noise import NoiseKind, read_noises
from undertone_models.training.augment import at_level, cut, reverberate, telephone
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.dsp.speech import active_steps
from undertone_service.protocol.errors import ErrorCode, UndertoneError

Samples = NDArray[np.float32]

ROOM, LINE = "reverb", "mulaw8k"
_NOISE = re.compile(r"noise(-?\d{1,2})db")
_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A recording, or its first ``samples`` at 16 kHz; ``enrolled`` or, else, a probe or a labelled clip."""

    path: Path
    samples: int | None = None
    enrolled: bool = False


@dataclass(frozen=True)
class Conditions:
    """Names in the order in which they apply, and what they draw from; without any, clips are heard as they are.

    ``noises`` are mixed in at ``snr_db``, measured over the clip's speech; None for no noise.
    """

    names: tuple[str, ...] = ()
    responses: Sequence[Samples] = ()
    noises: Sequence[Samples] = ()
    snr_db: float | None = None
    line: bool = False

    def hear(self, excerpt: Excerpt) -> Samples:
        """Return an excerpt f32[n] at 16 kHz as it is heard; raises ``UnreadableAudio``."""
        return conditioned(excerpt.path, self, probe=not excerpt.enrolled)[: excerpt.samples]

    def distinct(self, excerpt: Excerpt) -> Excerpt:
        """Return the excerpt that sounds the same: an enrolment is like any clip without rooms and noise."""
        same = not self.responses and self.snr_db is None
        return replace(excerpt, enrolled=False) if same else excerpt


def conditioned(path: Path, conditions: Conditions, *, probe: bool) -> Samples:
    """Read a clip f32[n] at 16 kHz and send it through the conditions; an enrolment through the line alone.

    Raises:
        UnreadableAudio: where the file holds no sound.
    """
    clean = samples = load_audio(path, shortest=0.0)
    if probe and conditions.responses:
        samples = _in_a_room(samples, conditions.responses, path)
    if probe and conditions.snr_db is not None:
        samples = _with_noise(samples, clean, conditions.noises, conditions.snr_db, path)
    if conditions.line:
        samples = telephone(samples)
    return samples


def read_conditions(text: str, noise_table: Path | None) -> Conditions:
    """Read names such as ``mulaw8k,noise10db,reverb``; noises and rooms are those of the table's test split.

    Raises:
        UndertoneError: ``bad_request`` for a name that is none or is repeated, and for a table that is missing or
            has nothing to draw from.
    """
    names = [name for name in text.split(",") if name]
    levels = [match for name in names if (match := _NOISE.fullmatch(name))]
    rooms, lines = names.count(ROOM), names.count(LINE)
    if not names or len(levels) + rooms + lines < len(names) or max(len(levels), rooms, lines) > 1:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{text!r} names no conditions.",
            f"Give {ROOM}, noise10db (or another level) and {LINE}, each at most once, separated by commas.",
        )
    if (levels or rooms) and noise_table is None:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{text!r} draws from noises and room responses, and no table of them is given.",
            "Give one: --noise FILE, such as ../shared/data/noise.csv.",
        )
    order = [ROOM] * rooms + [match[0] for match in levels] + [LINE] * lines
    return Conditions(
        names=tuple(order),
        responses=_recordings(noise_table, "rir") if noise_table and rooms else (),
        noises=_recordings(noise_table, "noise") if noise_table and levels else (),
        snr_db=float(levels[0][1]) if levels else None,
        line=bool(lines),
    )


def _recordings(table: Path, kind: NoiseKind) -> list[Samples]:
    """Read what the test split has of a kind; an unusable file is an error, since draws depend on all of them."""
    paths = [noise.path for noise in read_noises(table) if (noise.kind, noise.split) == (kind, "test")]
    try:
        recordings = [load_audio(path) for path in paths]
    except UnreadableAudio as error:
        raise UndertoneError(ErrorCode.BAD_REQUEST, f"{error}.", "Mend the file, or its row.") from None
    if not recordings:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{table} has no recording of type {kind!r} in the split 'test'.",
            "Give a table whose test split has some: they must never have been trained on.",
        )
    return recordings


def _in_a_room(samples: Samples, responses: Sequence[Samples], path: Path) -> Samples:
    """Put a clip into a room, at its own level as far as full scale allows."""
    random = _random(path, ROOM)
    wet = reverberate(samples, responses[int(random.integers(len(responses)))])
    return _within_scale(at_level(wet, 10 * float(np.log10(np.mean(samples**2)))))


def _with_noise(
    samples: Samples, clean: Samples, noises: Sequence[Samples], snr_db: float, path: Path
) -> Samples:
    """Mix a noise in; both powers are taken where the clean clip has speech, or everywhere if nowhere."""
    speech = np.zeros(len(clean), np.bool_)
    for step in active_steps(clean):
        speech[step.index * STEP_SAMPLES : (step.index + 1) * STEP_SAMPLES] = True
    if not speech.any():
        speech[:] = True
    noise, power = _draw(noises, speech, _random(path, "noise"))
    gain = np.sqrt(float(np.mean(samples[speech] ** 2)) / power / 10 ** (snr_db / 10))
    return _within_scale(samples + noise * np.float32(gain))


def _draw(
    noises: Sequence[Samples], speech: NDArray[np.bool_], random: np.random.Generator
) -> tuple[Samples, float]:
    """Draw a noise f32[n] and its power during speech.

    A bark that falls into a pause would be turned up beyond measure: what is much weaker during speech than the
    recording is as a whole is drawn again.
    """
    for _ in range(_DRAWS):
        recording = noises[int(random.integers(len(noises)))]
        noise = cut(recording, len(speech), random)
        power = float(np.mean(noise[speech] ** 2))
        if power > 0.1 * float(np.mean(recording**2)):
            return noise, power
    raise UndertoneError(
        ErrorCode.BAD_REQUEST,
        f"{_DRAWS} draws from {len(noises)} noises found none that lasts through a clip's speech.",
        "Give noises that are not silent for most of their time.",
    )


def _within_scale(samples: Samples) -> Samples:
    """Turn down what exceeds full scale: clipping would be a disturbance that nobody asked for."""
    return np.asarray(samples / max(float(np.abs(samples).max()), 1.0), np.float32)


def _random(path: Path, what: str) -> np.random.Generator:
    """Return a generator seeded by the end of a clip's path: the same wherever the data lies."""
    name = "/".join((what, *path.parts[-3:]))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
