"""What becomes of a measurement: printed, saved, and where it looked at the test split, noted."""

import shlex
import sys
from pathlib import Path

from undertone_export.evaluation.report import Section
from undertone_models.commands.places import shown_path
from undertone_models.data.test_log import TEST_LOG, note_look


def typed() -> str:
    """Return the command as it was typed, its paths from here or from the cache."""
    words = [shown_path(Path(word)) if word.startswith("/") else shlex.quote(word) for word in sys.argv[1:]]
    return " ".join(["undertone", *words])


def keep(section: Section, digest: str, file: Path | None, *, test: bool) -> None:
    """Print a table of the bundle of this digest, save it, and note a look at the test split if it was one."""
    if test and TEST_LOG.is_file():
        note_look(TEST_LOG, digest, section.command)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(section.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(section.text)
    for row in section.rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))
