"""``undertone thresholds``."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Show false accepts and false rejects of a bundle by threshold and by seconds of speech."""
    parser.add_argument("bundle", metavar="BUNDLE", help="folder or name of a bundle that gives voiceprints")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="names speakers and splits: a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=Path, required=True, metavar="FILE", help="list of verification trials (CSV)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the rates (PNG), named by the bundle")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score the trials; print, draw and save the rates.

    Raises:
        UndertoneError: ``bad_request`` for a bundle without voiceprints, or where files of the trials are missing.
    """
    import os

    from undertone_export.by_threshold import PAPER, score_by_seconds, threshold_plots, threshold_rows
    from undertone_export.commands.evaluate import open_bundle
    from undertone_export.evaluation.keeping import keep, typed
    from undertone_export.evaluation.report import Section
    from undertone_export.evaluation.verification import refuse_missing, speakers_by_path
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.trials import read_trials
    from undertone_service.protocol.errors import ErrorCode, UndertoneError

    bundle, trials = open_bundle(args.bundle), read_trials(args.trials)
    manifest = bundle.manifest
    if "voiceprint" not in manifest.tasks:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"The bundle {manifest.name} gives no voiceprint.",
            "Give one that does, such as undertone-streaming, or an export of the recipe ecapa-tdnn.",
        )
    refuse_missing(trials)
    clips, _ = read_corpora(args.data)
    scored = score_by_seconds(bundle, trials)
    text = (
        f"Bundle {manifest.name}, digest {manifest.digest[:12]}. Shares of impostors accepted (FAR) and of true "
        "speakers rejected (FRR), by the cosine above which a voice is accepted and by the seconds of speech in the "
        "probe, over all trials but one-word ones. A trial in which no speech is found counts as surely wrong. In "
        f"brackets: 95 % intervals over the probes' speakers. {PAPER}"
    )
    section = Section(
        kind="thresholds", title=f"Error rates by threshold: {manifest.name}", command=typed(), text=text,
        rows=tuple(threshold_rows(scored, speakers_by_path(clips))),
    )  # fmt: skip
    splits = {os.path.abspath(clip.path): clip.split for clip in clips}
    looked = any(splits.get(os.path.abspath(trial.probe)) == "test" for trial in trials)
    keep(section, manifest.digest, args.json, test=looked)
    if args.plots:
        args.plots.mkdir(parents=True, exist_ok=True)
        for name, figure in threshold_plots(scored).items():
            figure.savefig(args.plots / f"{manifest.name}-{name}.png", dpi=120, bbox_inches="tight")
    return 0
