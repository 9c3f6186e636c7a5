"""``undertone teach``."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Let a pretrained encoder hear the training clips, so that a network can learn voices from it."""
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--python", type=Path, default=Path(".venv-peer/bin/python"), metavar="FILE",
        help="the Python of an environment with resemblyzer (default: that of `make peer`)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE.npz", help="default: teachers/resemblyzer.npz in the cache"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Hear all training clips."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.teachers.voices import teach
    from undertone_models.training.corpus import gather

    file = args.out or teachers_folder() / "resemblyzer.npz"
    clips, _ = read_corpora(args.data)
    corpus = gather(clips, [])
    paths = [clip.path for clip in corpus.train]
    print(f"{teach(args.python, paths, corpus.cache, file)} of {len(paths)} clips taught: {file}")
    return 0


def teachers_folder() -> Path:
    """Return where teachers' answers are kept in the cache."""
    from undertone_models.commands.places import runs_folder

    return runs_folder().parent / "teachers"
