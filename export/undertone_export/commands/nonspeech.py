"""``undertone nonspeech``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from undertone_export.commands.evaluate import TEST_LOG

if TYPE_CHECKING:
    from undertone_export.evaluation.report import Section
    from undertone_service.bundle.streaming import Bundle


def configure(parser: argparse.ArgumentParser) -> None:
    """Measure how much of sounds that are no speech counts as speech, and how much of speech in noise does."""
    parser.add_argument("bundle", metavar="BUNDLE", help="folder or name of a bundle")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--noise", type=Path, required=True, metavar="FILE", help="table of noises (CSV)")
    parser.add_argument(
        "--split", choices=("valid", "test"), default="test",
        help="default: %(default)s; valid takes the noises of train, since the table has none of its own",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Hear everything, print the shares."""
    from undertone_export.commands.evaluate import open_bundle
    from undertone_export.nonspeech import CLIPS, SECONDS, SNR_DB, gather, report
    from undertone_models.data.corpora import read_corpora

    bundle = open_bundle(args.bundle)
    clips, _ = read_corpora(args.data)
    rows = report(gather(bundle, clips, args.noise, args.split), bundle.manifest)
    noises = "test" if args.split == "test" else "train (trained on)"
    text = (
        f"Share of time that counts as speech, live: {CLIPS} clips of {SECONDS:g} s of each synthetic sound, of seeds "
        f"that training never saw, and noises of the split {noises}. Below: the share kept of the frames that VAD and "
        f"gate call speech in clean clips of `{args.split}`, the same clips with noise at {SNR_DB:g} dB over speech, "
        f"and clean. VAD and gate: what they alone would let through."
    )
    title = "Speech, and sounds that are none"
    save("nonspeech", title, bundle, args, text, rows, test=args.split == "test")
    return 0


def save(
    kind: str,
    title: str,
    bundle: "Bundle",
    args: argparse.Namespace,
    text: str,
    rows: list[dict[str, object]],
    *,
    test: bool,
) -> None:
    """Print a table; write it where ``args.json`` says; note a look at the test split, if it was one."""
    import shlex
    import sys

    from undertone_export.evaluation.report import Section

    manifest = bundle.manifest
    section = Section(
        kind=kind,
        title=title,
        command=shlex.join(["undertone", *sys.argv[1:]]),
        text=f"Bundle {manifest.name}, digest {manifest.digest[:12]}. {text}",
        rows=tuple(rows),
    )
    if test and TEST_LOG.is_file():
        note_look(TEST_LOG, manifest.digest, section)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(section.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(section.text)
    for row in rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))


def note_look(log: Path, digest: str, section: "Section") -> None:
    """Note a look at the test split, as ``undertone evaluate`` does."""
    import csv
    from datetime import UTC, datetime

    with log.open("a", encoding="utf-8", newline="") as file:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        csv.writer(file, lineterminator="\n").writerow((now, digest, section.command))
