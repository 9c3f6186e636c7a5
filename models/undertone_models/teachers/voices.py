"""A teacher's voiceprints of training clips, computed once and kept in the cache."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_models.data.audio import AudioCache
from undertone_models.teachers.pretrained import SIZE, resemblyzer_voiceprints
from undertone_service.protocol.errors import ErrorCode, UndertoneError

LONGEST = 20 * 16000
"""Samples of a clip that the teacher hears at most."""


class TaughtVoices:
    """Voiceprints f32[256] by a clip's path; None for a clip that the teacher did not hear or found no speech in."""

    def __init__(self, voices: dict[str, NDArray[np.float32]]) -> None:
        self._voices = voices

    def __len__(self) -> int:
        return len(self._voices)

    def __getitem__(self, path: Path) -> NDArray[np.float32] | None:
        return self._voices.get(os.path.abspath(path))

    @classmethod
    def read(cls, file: Path) -> "TaughtVoices":
        """Read what ``teach`` wrote.

        Raises:
            UndertoneError: ``bad_request`` where the file holds no voiceprints.
        """
        try:
            with np.load(file, allow_pickle=False) as saved:
                paths, voices = saved["paths"].tolist(), saved["voiceprints"]
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"{file} holds no teacher's voiceprints ({type(error).__name__}).",
                "Write it with `undertone teach`.",
            ) from None
        known = np.any(voices, axis=1)
        return cls({path: voice for path, voice, good in zip(paths, voices, known, strict=True) if good})


def teach(python: Path, paths: Sequence[Path], cache: AudioCache, file: Path) -> int:
    """Let the teacher hear clips and write its voiceprints; return how many it found speech in."""
    wanted = [path for path in paths if path in cache]

    def recordings() -> Iterator[NDArray[np.float32]]:
        for path in wanted:
            yield cache[path][:LONGEST]

    answers = resemblyzer_voiceprints(python, recordings())
    voices = np.stack(list(track(answers, "Teacher", total=len(wanted))) or [np.zeros(SIZE, np.float32)])
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    names = [os.path.abspath(path) for path in wanted]
    np.savez(partial, paths=np.array(names), voiceprints=voices[: len(wanted)].astype(np.float16))
    partial.replace(file)
    return int(np.any(voices, axis=1).sum())
