"""What every corpus reader is made of: audio files found in a folder, and clips read off their paths."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from undertone_models.data.clips import Clip, Rejected

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")

Reading = Iterator[Clip | Rejected]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A public corpus that ``--data NAME=DIR`` can point to.

    ``read`` maps the corpus's folder to clips and to what in it cannot be used. ``home`` is where the corpus
    is had, ``layout`` what of its own layout is read.
    """

    name: str
    title: str
    home: str
    licence: str
    layout: str
    read: Callable[[Path], Reading]


def read_names(root: Path, pattern: str, clip_of: Callable[[Path, re.Match[str]], Clip]) -> Reading:
    """Turn every audio file under ``root`` whose path ends as ``pattern`` says into a clip.

    The path has no suffix and slashes between folders; upper and lower case are alike. ``clip_of`` raises
    ``KeyError`` or ``ValueError`` for what the corpus does not know. Mirrors of some corpora hold everything
    twice: a path that gives the same groups again is rejected.
    """
    end = re.compile(f"(?:^|/){pattern}$", re.IGNORECASE)
    seen: set[tuple[str | None, ...]] = set()
    for path in audio_files(root):
        stem = path.name.split(".")[0]
        match = end.search(path.relative_to(root.parent).with_name(stem).as_posix())
        if match is None:
            yield Rejected(str(path), "the name is none of this corpus")
        elif match.groups() in seen:
            yield Rejected(str(path), "the same recording again")
        else:
            seen.add(match.groups())
            try:
                yield clip_of(path, match)
            except (KeyError, ValueError) as error:
                yield Rejected(str(path), f"the name holds an unknown label: {error}")


def audio_files(root: Path) -> Iterator[Path]:
    """Yield the audio files under a folder in a fixed order; hidden ones are left out."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def find_file(root: Path, *names: str) -> Path | None:
    """Return the first of these files that lies in the folder or in the one above it, else None."""
    candidates = (folder / name for folder in (root, root.parent) for name in names)
    return next((path for path in candidates if path.is_file()), None)
