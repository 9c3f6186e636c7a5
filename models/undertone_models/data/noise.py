"""The table of noises and room responses that training mixes in and tests are disturbed with."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from undertone_models.data.labels import SPLITS
from undertone_models.data.tables import read_table

NoiseKind = Literal["noise", "rir"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Noise:
    """One noise recording, or one room impulse response (``rir``)."""

    path: Path
    kind: NoiseKind
    split: str
    seconds: float
    licence: str


def read_noises(csv_path: Path, root: Path | None = None) -> list[Noise]:
    """Read a noise table; paths are relative to ``root``, by default the table's own folder.

    Unusable rows are logged and skipped. Raises ``UndertoneError`` where the table itself cannot be read.
    """
    folder = csv_path.parent if root is None else root
    noises: list[Noise] = []
    for row in read_table(csv_path, required=("path", "type", "split")):
        path = folder / row["path"]
        if row["type"] not in ("noise", "rir"):
            log.warning("%s: skipped, type %r is neither noise nor rir", path, row["type"])
        elif row["split"] not in SPLITS:
            log.warning("%s: skipped, split %r is none of: %s", path, row["split"], ", ".join(SPLITS))
        elif not path.is_file():
            log.warning("%s: skipped, no such file", path)
        else:
            kind = cast(NoiseKind, row["type"])
            noises.append(Noise(path, kind, row["split"], _seconds(row), row.get("licence", "")))
    return noises


def _seconds(row: dict[str, str]) -> float:
    """Return the stated length; 0 where the table states none."""
    try:
        return float(row.get("seconds", ""))
    except ValueError:
        return 0.0
