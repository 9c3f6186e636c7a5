"""``undertone rolling``."""

import argparse
from pathlib import Path

_CORPORA = ("saa", "librispeech")
_SHORTEST = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Try rolling verification on all speakers of a split, through the session code."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--split", choices=("valid", "test"), default="test", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Enrol, verify, and print the outcomes."""
    import json
    import sys

    from undertone_export.rolling import IMPOSTORS, report, stage
    from undertone_models.data.audio import AudioCache
    from undertone_models.data.corpora import read_corpora
    from undertone_service.bundle.streaming import Bundle

    bundle = Bundle(args.bundle)
    clips = [c for c in read_corpora(args.data)[0] if c.split == args.split and c.corpus in _CORPORA]
    cache = AudioCache.build([clip.path for clip in clips], f"{args.split}-rolling")
    clips = [clip for clip in clips if clip.path in cache]
    trial = stage(bundle, clips, cache, shortest=_SHORTEST)
    rows = report(trial, bundle.manifest)
    changes = sum(any(look.voiceprint is None for look in s.looks) for s in trial.sessions if s.genuine)
    genuine = sum(session.genuine for session in trial.sessions)
    text = (
        f"Bundle {bundle.manifest.name}, digest {bundle.manifest.digest[:12]}, split `{args.split}`. Each speaker of "
        f"{' and '.join(_CORPORA)} is enrolled with the first two clips; every other clip of at least "
        f"{_SHORTEST:g} s is a session with a look each 0.5 s, against the true claim and against up to {IMPOSTORS} "
        f"people of the same corpus and sex. Thresholds were chosen on `valid`. A change of speaker was reported in "
        f"{changes} of {genuine} sessions, each of one person."
    )
    print(text)
    for row in rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))
    if args.json:
        kind = {"kind": "rolling", "title": "Rolling verification, live", "text": text, "rows": rows}
        args.json.write_text(
            json.dumps({**kind, "command": f"undertone {' '.join(sys.argv[1:])}"}, indent=1) + "\n"
        )
    return 0
