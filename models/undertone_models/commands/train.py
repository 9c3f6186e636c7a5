"""``undertone train RECIPE``."""

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Train a recipe's network on labelled speech; run it again to resume."""
    parser.add_argument("recipe", help="name of the recipe, such as streaming")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--noise", type=Path, metavar="FILE", help="table of noises and room responses (CSV)")
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE.npz",
        help="voiceprints to learn from, as `undertone teach` writes them",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="checkpoint of another run, whose weights this one begins with",
    )
    parser.add_argument(
        "--commercial", action="store_true",
        help="keep only corpora and noises whose licence allows commercial use; takes no teacher and no start",
    )  # fmt: skip
    parser.add_argument(
        "--without", action="append", default=[], metavar="CORPUS", help="leave a corpus out; may be repeated"
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name of the run's folder in the cache (default: the recipe, or RECIPE-commercial)",
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="NAME=VALUE",
        help="override a setting, such as sampling.batch=32; may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Train, with a log beside the checkpoints."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.licences import commercial_clips, commercial_noises
    from undertone_models.data.noise import read_noises
    from undertone_models.teachers.voices import TaughtVoices
    from undertone_models.training.corpus import gather
    from undertone_models.training.loop import Training
    from undertone_models.training.settings import load_settings

    settings = load_settings(args.recipe, args.overrides)
    if args.commercial:
        settings = replace(settings, commercial=True)
    # A teacher hands on what it heard. resemblyzer's code and weights are Apache-2.0, but most of what it heard is
    # VoxCeleb: whoever uploaded those videos licensed nothing. Weights to start from may come from any corpus.
    if settings.commercial and (args.teacher or args.start):
        args.refuse("--commercial takes no --teacher and no --start: their data is not known to allow it")
    folder = runs_folder() / (args.name or args.recipe + "-commercial" * settings.commercial)
    folder.mkdir(parents=True, exist_ok=True)
    with _log_to(folder / "train.log"):
        clips, rejected = read_corpora(args.data)
        clips = [clip for clip in clips if clip.corpus not in args.without]
        noises = read_noises(args.noise) if args.noise else []
        if settings.commercial:
            clips, noises = commercial_clips(clips), commercial_noises(noises)
        corpus = gather(clips, noises)
        for fault in rejected + corpus.cache.rejected:
            logging.warning("skipped %s: %s", fault.path, fault.reason)
        logging.info(
            "%d clips to train on, %d to validate on; run %s", len(corpus.train), len(corpus.valid), folder
        )
        voices = TaughtVoices.read(args.teacher) if args.teacher else None
        Training(settings, corpus, folder, voices, args.start).run()
    return 0


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Log to a file and to the terminal meanwhile."""
    root = logging.getLogger()
    level = root.level
    handlers = (logging.FileHandler(path), logging.StreamHandler())
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def runs_folder() -> Path:
    """Return where runs are kept: ``$UNDERTONE_CACHE/runs``, by default in ``~/.cache/undertone``."""
    return Path(os.environ.get("UNDERTONE_CACHE") or Path.home() / ".cache" / "undertone") / "runs"
