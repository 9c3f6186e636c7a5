"""Verification trials: is the voice of the probe the voice of the enrolled clips?"""

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from undertone_models.data.tables import Row, read_table
from undertone_service.protocol.errors import ErrorCode, UndertoneError

CUT_SECONDS = (1, 3, 5)
COLUMNS = ("enroll", "probe", "target", "condition", "corpus", "net", *(f"cut{n}" for n in CUT_SECONDS))


@dataclass(frozen=True, slots=True)
class Trial:
    """One comparison of a probe with enrolled clips.

    ``net`` is the probe's seconds of speech. ``cuts`` holds, for 1, 3 and 5 seconds of speech, how many of
    the probe's first samples at 16 kHz contain them, or None where the probe has too little speech.
    """

    enroll: tuple[Path, ...]
    probe: Path
    target: bool
    condition: str
    corpus: str
    net: float
    cuts: Mapping[int, int | None]


def read_trials(csv_path: Path, root: Path | None = None) -> list[Trial]:
    """Read a trial list; paths are relative to ``root``, by default the list's own folder.

    Raises ``UndertoneError`` for a bad row too: error rates on a part of a list are comparable with nothing.
    """
    folder = csv_path.parent if root is None else root
    trials: list[Trial] = []
    for number, row in enumerate(read_table(csv_path, required=COLUMNS), start=1):
        try:
            trials.append(_trial(row, folder))
        except ValueError as error:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"Trial {number} of {csv_path} is wrong: {error}.",
                "A trial names enrolled clips, a probe, target 0 or 1, and whole numbers of samples as cuts.",
            ) from error
    return trials


def write_trials(csv_path: Path, trials: Iterable[Trial], root: Path) -> None:
    """Write a trial list with paths relative to ``root``."""
    with csv_path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for trial in trials:
            enroll = ";".join(os.path.relpath(path, root) for path in trial.enroll)
            cuts = ["" if trial.cuts[n] is None else trial.cuts[n] for n in CUT_SECONDS]
            probe = os.path.relpath(trial.probe, root)
            row = (enroll, probe, int(trial.target), trial.condition, trial.corpus, f"{trial.net:.2f}", *cuts)
            writer.writerow(row)


def _trial(row: Row, folder: Path) -> Trial:
    """Turn a row into a trial; raises ``ValueError`` with what is wrong in it."""
    enroll = tuple(folder / path for path in row["enroll"].split(";") if path)
    if not enroll or not row["probe"]:
        raise ValueError("enrolled clips or the probe are missing")
    if row["target"] not in ("0", "1"):
        raise ValueError(f"target {row['target']!r} is neither 0 nor 1")
    cuts = {n: int(row[f"cut{n}"]) if row[f"cut{n}"] else None for n in CUT_SECONDS}
    return Trial(
        enroll=enroll,
        probe=folder / row["probe"],
        target=row["target"] == "1",
        condition=row["condition"],
        corpus=row["corpus"],
        net=float(row["net"]),
        cuts=cuts,
    )
