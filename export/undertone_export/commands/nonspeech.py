"""``undertone nonspeech``."""

import argparse
from pathlib import Path


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
    from undertone_export.evaluation.keeping import keep, typed
    from undertone_export.evaluation.report import Section
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
    manifest = bundle.manifest
    section = Section(
        kind="nonspeech",
        title="Speech, and sounds that are none",
        command=typed(),
        text=f"Bundle {manifest.name}, digest {manifest.digest[:12]}. {text}",
        rows=tuple(rows),
    )
    keep(section, manifest.digest, args.json, test=args.split == "test")
    return 0
