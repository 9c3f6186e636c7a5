"""The project's own label table: one CSV row a clip.

Columns: path, corpus, speaker, sex, age, age_band, emotion, intensity, sentence, language, session, split,
seconds. Only ``path`` must be there; an empty cell means unknown. Rows that contradict each other, or say
what cannot be, are rejected with a reason: a wrong label costs more than a missing clip.
"""

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.tables import Row, read_table
from undertone_service.protocol.labels import AGE_BANDS, EMOTIONS, GENDERS, age_band

SPLITS = ("train", "valid", "test")
COLUMNS = tuple(field.name for field in fields(Clip))
YOUNGEST, OLDEST = 1.0, 110.0
DAY = 86_400.0


def read_labels(csv_path: Path, root: Path | None = None) -> tuple[list[Clip], list[Rejected]]:
    """Read a label table; paths are relative to ``root``, by default the table's own folder.

    Speakers get the prefix of their corpus where they lack it. A clip whose table names no speaker has the
    empty string as its speaker: it can teach every task but identity. Raises ``UndertoneError`` where the
    table itself cannot be read; bad rows are returned as rejected.
    """
    folder = csv_path.parent if root is None else root
    clips: list[Clip] = []
    rejected: list[Rejected] = []
    for row in read_table(csv_path, required=("path",)):
        try:
            clips.append(_clip(row, folder))
        except ValueError as error:
            rejected.append(Rejected(row["path"], str(error)))
    return reject_contradictions(clips, rejected)


def write_labels(csv_path: Path, clips: Iterable[Clip], root: Path) -> None:
    """Write a label table whose paths are relative to ``root``."""
    with csv_path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip in clips:
            cells = [getattr(clip, name) for name in COLUMNS[1:]]
            path = os.path.relpath(clip.path, root)
            writer.writerow([path, *("" if cell is None else _text(cell) for cell in cells)])


def reject_contradictions(
    clips: Iterable[Clip], rejected: Iterable[Rejected] = ()
) -> tuple[list[Clip], list[Rejected]]:
    """Drop repeated rows, and reject paths with two labels and speakers with two sexes or in two splits."""
    kept = list(dict.fromkeys(clips))
    refusals = list(rejected)
    for reason, group, value in _CONTRADICTIONS:
        values: dict[str, set[object]] = defaultdict(set)
        for clip in kept:
            values[group(clip)].add(value(clip))
        bad = {key for key, found in values.items() if key and len(found - {None}) > 1}
        refusals += [Rejected(str(clip.path), reason) for clip in kept if group(clip) in bad]
        kept = [clip for clip in kept if group(clip) not in bad]
    return kept, refusals


_CONTRADICTIONS: tuple[tuple[str, Callable[[Clip], str], Callable[[Clip], object]], ...] = (
    ("the same path has two different labels", lambda clip: str(clip.path), lambda clip: clip),
    ("the speaker has two sexes", lambda clip: clip.speaker, lambda clip: clip.sex),
    ("the speaker is in two splits", lambda clip: clip.speaker, lambda clip: clip.split),
)


def _clip(row: Row, folder: Path) -> Clip:
    """Turn a row into a clip; raises ``ValueError`` with the reason for rejecting it."""
    if not row["path"]:
        raise ValueError("no path")
    path = folder / row["path"]
    if not path.is_file():
        raise ValueError("no such file")
    corpus = row.get("corpus") or "own"
    age = _number(row, "age", YOUNGEST, OLDEST)
    band = _word(row, "age_band", AGE_BANDS)
    if age is not None and band is not None and age_band(age) != band:
        raise ValueError(f"age {age:g} is not in the band {band!r}")
    return Clip(
        path=path,
        corpus=corpus,
        speaker=_prefixed(row.get("speaker", ""), corpus),
        sex=_word(row, "sex", GENDERS),
        age=age,
        age_band=band,
        emotion=_word(row, "emotion", EMOTIONS),
        intensity=row.get("intensity") or None,
        sentence=row.get("sentence") or None,
        language=row.get("language") or None,
        session=row.get("session") or None,
        split=_word(row, "split", SPLITS),
        seconds=_number(row, "seconds", 0.0, DAY),
    )


def _word(row: Row, column: str, words: tuple[str, ...]) -> str | None:
    """Return the row's word; raises ``ValueError`` unless it is empty or one of ``words``."""
    cell = row.get(column, "")
    if cell and cell not in words:
        raise ValueError(f"{column} {cell!r} is none of: {', '.join(words)}")
    return cell or None


def _number(row: Row, column: str, lowest: float, highest: float) -> float | None:
    """Return the row's number; raises ``ValueError`` unless it is empty or between the bounds."""
    cell = row.get(column, "")
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"{column} {cell!r} is no number") from None
    if not lowest <= number <= highest:
        raise ValueError(f"{column} {cell} cannot be")
    return number


def _prefixed(speaker: str, corpus: str) -> str:
    return speaker if not speaker or speaker.startswith(f"{corpus}_") else f"{corpus}_{speaker}"


def _text(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
