"""``undertone train RECIPE``."""

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from undertone_models.commands.places import runs_folder

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
    parser.add_argument(
        "--encoder", type=Path, metavar="FILE", help="what a published system stands on, where it does"
    )
    parser.add_argument("--sex", choices=("female", "male"), help="a published system for one sex alone")
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
    from undertone_models.windows.recipes import is_window_recipe

    if is_window_recipe(args.recipe):
        return _train_window_recipe(args)
    if args.encoder or args.sex:
        args.refuse("--encoder and --sex are for the published systems")
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


def _train_window_recipe(args: argparse.Namespace) -> int:
    """Train a published system on the `split` column, its `valid` clips to choose by."""
    from undertone_models.data.audio import AudioCache
    from undertone_models.data.corpora import read_corpora
    from undertone_models.windows.assemble import make_training
    from undertone_models.windows.recipes import load_recipe

    if args.noise or args.teacher or args.commercial:
        args.refuse(f"{args.recipe} takes no --noise, --teacher or --commercial")
    recipe = load_recipe(args.recipe, args.overrides)
    folder = runs_folder() / (args.name or args.recipe)
    folder.mkdir(parents=True, exist_ok=True)
    with _log_to(folder / "train.log"):
        clips, rejected = read_corpora(args.data)
        wanted = [
            clip
            for clip in clips
            if (not recipe.corpora or clip.corpus in recipe.corpora)
            and clip.corpus not in args.without
            and args.sex in (None, clip.sex)
            and clip.split in ("train", "valid")
        ]
        cache = AudioCache.build([clip.path for clip in wanted], "recipes")
        for fault in rejected + cache.rejected:
            logging.warning("skipped %s: %s", fault.path, fault.reason)
        train, valid = ([clip for clip in wanted if clip.split == name] for name in ("train", "valid"))
        logging.info("%d clips to train on, %d to choose by; run %s", len(train), len(valid), folder)
        make_training(train, valid, recipe, args.encoder, cache, folder, args.start).run()
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
