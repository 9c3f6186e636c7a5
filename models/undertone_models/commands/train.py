"""``undertone train RECIPE``."""

import argparse
import logging
import os
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
        "--name", metavar="NAME", help="name of the run's folder in the cache (default: the recipe)"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="NAME=VALUE",
        help="override a setting, such as sampling.batch=32; may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, with a log beside the checkpoints."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.noise import read_noises
    from undertone_models.training.corpus import gather
    from undertone_models.training.loop import Training
    from undertone_models.training.settings import load_settings

    settings = load_settings(args.recipe, args.overrides)
    folder = runs_folder() / (args.name or args.recipe)
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.FileHandler(folder / "train.log"), logging.StreamHandler()],
    )
    clips, rejected = read_corpora(args.data)
    for fault in rejected:
        logging.warning("skipped %s: %s", fault.path, fault.reason)
    corpus = gather(clips, read_noises(args.noise) if args.noise else [])
    for fault in corpus.cache.rejected:
        logging.warning("skipped %s: %s", fault.path, fault.reason)
    logging.info(
        "%d clips to train on, %d to validate on; run %s", len(corpus.train), len(corpus.valid), folder
    )
    Training(settings, corpus, folder).run()
    return 0


def runs_folder() -> Path:
    """Return where runs are kept: ``$UNDERTONE_CACHE/runs``, by default in ``~/.cache/undertone``."""
    return Path(os.environ.get("UNDERTONE_CACHE") or Path.home() / ".cache" / "undertone") / "runs"
