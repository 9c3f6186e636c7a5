"""Looks at the test split: whoever looks often enough has trained on it, so each is noted."""

import csv
from datetime import UTC, datetime
from pathlib import Path

TEST_LOG = Path("models", "TEST_LOG.csv")
"""Where looks are noted, where there is such a file."""


def note_look(log: Path, digest: str, command: str, date: str | None = None) -> None:
    """Note what was looked at (the digest of a bundle or of a trunk), with which command, and when (default: now)."""
    fresh = not log.exists() or not log.stat().st_size
    with log.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(("date", "digest", "command"))
        writer.writerow((date or datetime.now(UTC).isoformat(timespec="seconds"), digest, command))
