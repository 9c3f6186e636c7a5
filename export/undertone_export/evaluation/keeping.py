"""What becomes of a measurement: printed, saved, and where it looked at the test split, noted."""

import csv
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from undertone_export.evaluation.report import Section
from undertone_export.evaluation.results import shown

TEST_LOG = Path("models", "TEST_LOG.csv")
"""Where looks at the test split are noted, where there is such a file."""


def typed() -> str:
    """Return the command as it was typed, with relative paths."""
    words = [shown(Path(word)) if word.startswith("/") else word for word in sys.argv[1:]]
    return shlex.join(["undertone", *words])


def keep(section: Section, digest: str, file: Path | None, *, test: bool) -> None:
    """Print a table of the bundle of this digest, save it, and note a look at the test split if it was one."""
    if test and TEST_LOG.is_file():
        note_look(TEST_LOG, datetime.now(UTC).isoformat(timespec="seconds"), digest, section.command)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(section.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(section.text)
    for row in section.rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))


def note_look(log: Path, date: str, digest: str, command: str) -> None:
    """Note a look at the test split: whoever looks often enough has trained on it."""
    fresh = not log.exists() or not log.stat().st_size
    with log.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(("date", "digest", "command"))
        writer.writerow((date, digest, command))
