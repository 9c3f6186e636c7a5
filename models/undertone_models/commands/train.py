"""``undertone train RECIPE``."""

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_models.training.corpus import Corpus
    from undertone_models.training.settings import TrainSettings
    from undertone_models.training.team import Team


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


@dataclass(frozen=True)
class _Sources:
    """What a run learns from: arguments of the command, for each of its processes."""

    data: list[str]
    noise: Path | None
    without: list[str]
    teacher: Path | None
    start: Path | None


def run(args: argparse.Namespace) -> int:
    """Train, with a log beside the checkpoints."""
    from undertone_models.training.settings import load_settings
    from undertone_models.training.team import work_as_team

    settings = load_settings(args.recipe, args.overrides)
    if args.commercial:
        settings = replace(settings, commercial=True)
    # A teacher hands on what it heard. resemblyzer's code and weights are Apache-2.0, but most of what it heard is
    # VoxCeleb: whoever uploaded those videos licensed nothing. Weights to start from may come from any corpus.
    if settings.commercial and (args.teacher or args.start):
        args.refuse("--commercial takes no --teacher and no --start: their data is not known to allow it")
    folder = runs_folder() / (args.name or args.recipe + "-commercial" * settings.commercial)
    folder.mkdir(parents=True, exist_ok=True)
    sources = _Sources(args.data, args.noise, args.without, args.teacher, args.start)
    with _log_to(folder / "train.log"):
        corpus = _gather(sources, settings)
        for fault in corpus.cache.rejected:
            logging.warning("skipped %s: %s", fault.path, fault.reason)
        logging.info(
            "%d clips to train on, %d to validate on; run %s", len(corpus.train), len(corpus.valid), folder
        )
        work_as_team(settings.processes, partial(_train, sources, settings, folder))
    return 0


def _gather(sources: _Sources, settings: "TrainSettings") -> "Corpus":
    """Read and decode; what is decoded once is read from the cache by whoever gathers again."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.licences import commercial_clips, commercial_noises
    from undertone_models.data.noise import read_noises
    from undertone_models.training.corpus import gather

    clips, rejected = read_corpora(sources.data)
    for fault in rejected:
        logging.warning("skipped %s: %s", fault.path, fault.reason)
    clips = [clip for clip in clips if clip.corpus not in sources.without]
    noises = read_noises(sources.noise) if sources.noise else []
    if settings.commercial:
        clips, noises = commercial_clips(clips), commercial_noises(noises)
    return gather(clips, noises)


def _train(sources: _Sources, settings: "TrainSettings", folder: Path, team: "Team") -> None:
    from undertone_models.teachers.voices import TaughtVoices
    from undertone_models.training.loop import Training

    voices = TaughtVoices.read(sources.teacher) if sources.teacher else None
    Training(settings, _gather(sources, settings), folder, voices, sources.start, team).run()


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
