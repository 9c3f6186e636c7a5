"""Public corpora in their own layouts. To add one, write its ``Corpus`` and name it in ``CORPORA``."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.corpora.acted import CREMA_D, EMODB, RAVDESS, SAVEE, TESS
from undertone_models.data.corpora.reading import Corpus
from undertone_models.data.corpora.splits import with_split
from undertone_models.data.corpora.spoken import COMMON_VOICE, LIBRISPEECH, TIMIT, VOXCELEB
from undertone_models.data.labels import read_labels, reject_contradictions
from undertone_service.protocol.errors import ErrorCode, UndertoneError

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (CREMA_D, RAVDESS, TESS, SAVEE, EMODB, COMMON_VOICE, VOXCELEB, LIBRISPEECH, TIMIT)
}


def read_corpora(sources: Iterable[str]) -> tuple[list[Clip], list[Rejected]]:
    """Read every ``NAME=DIR`` (a corpus) and ``labels=FILE.csv`` (the project's own format).

    Every clip has a split. Returns what can be used and what cannot, with the reason. Raises
    ``UndertoneError`` for a source that does not exist.
    """
    clips: list[Clip] = []
    rejected: list[Rejected] = []
    for source in sources:
        for reading in _read_source(source):
            if isinstance(reading, Rejected):
                rejected.append(reading)
            else:
                clips.append(reading)
    return _reject_copies(*reject_contradictions(clips, rejected))


def _read_source(source: str) -> Iterator[Clip | Rejected]:
    name, equals, place = source.partition("=")
    path = Path(place)
    if not equals or (name != "labels" and name not in CORPORA):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{source!r} names no data.",
            f"Give labels=FILE.csv, or NAME=DIR with one of the names: {', '.join(CORPORA)}.",
        )
    if name == "labels":
        clips, rejected = read_labels(path)
        yield from rejected
        yield from (clip if clip.split else with_split(clip) for clip in clips)
    elif not path.is_dir():
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"There is no folder {place!r}.",
            f"Point {name} to the folder that holds {CORPORA[name].layout}.",
        )
    else:
        for reading in CORPORA[name].read(path.absolute()):
            yield with_split(reading) if isinstance(reading, Clip) else reading


def _reject_copies(clips: list[Clip], rejected: list[Rejected]) -> tuple[list[Clip], list[Rejected]]:
    """Reject recordings that are there twice, byte for byte, with different emotions.

    CREMA-D has some: nobody can say which of the two labels is right.
    """
    by_size: dict[int, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.emotion is not None:
            by_size[clip.path.stat().st_size].append(clip)
    by_content: dict[bytes, list[Clip]] = defaultdict(list)
    for same_size in by_size.values():
        if len(same_size) > 1:
            for clip in same_size:
                by_content[hashlib.sha256(clip.path.read_bytes()).digest()].append(clip)
    bad = {
        clip.path
        for copies in by_content.values()
        if len({clip.emotion for clip in copies}) > 1
        for clip in copies
    }
    refusals = [Rejected(str(path), "the same recording has two different emotions") for path in sorted(bad)]
    return [clip for clip in clips if clip.path not in bad], rejected + refusals
