"""``undertone compare``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_models.data.trials import Trial


def configure(parser: argparse.ArgumentParser) -> None:
    """Score the same trials, on the same audio, with a bundle and with the pretrained resemblyzer."""
    parser.add_argument("bundle", metavar="BUNDLE", help="folder or name of a bundle")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="names speakers and splits: a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=Path, action="append", required=True, metavar="FILE",
        help="list of verification trials (CSV); may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--condition", metavar="NAMES", help="what the audio goes through, such as mulaw8k,noise10db"
    )
    parser.add_argument("--noise", type=Path, metavar="FILE", help="table of noises (CSV), for conditions")
    parser.add_argument(
        "--python", type=Path, default=Path(".venv-peer/bin/python"), metavar="FILE",
        help="the Python of an environment with resemblyzer (default: that of `make peer`)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score, and print the error rates.

    Raises:
        UndertoneError: ``bad_request`` where there is no such Python, or files of the trials are missing.
    """
    from undertone_export.commands.evaluate import open_bundle
    from undertone_export.compare import PEER, compare, score_both
    from undertone_export.evaluation.conditions import Conditions, read_conditions
    from undertone_export.evaluation.keeping import keep, typed
    from undertone_export.evaluation.report import Section
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.trials import read_trials

    trials = [trial for file in args.trials for trial in read_trials(file)]
    _check(args.python, trials)
    conditions = read_conditions(args.condition, args.noise) if args.condition else Conditions()
    bundle = open_bundle(args.bundle)
    clips, _ = read_corpora(args.data)
    rows = compare(score_both(bundle, args.python, trials, conditions), clips)
    through = f"through {', '.join(conditions.names)}" if conditions.names else "as recorded"
    text = (
        f"Equal error rates in per cent beside the pretrained {PEER}, both on the same trials and the same audio, "
        f"{through}; its enrolment is the mean of its recordings' voiceprints. The difference is ours less the peer's, "
        "with a 95 % interval from resamples of the probes' speakers, the same for both. A trial in which a system "
        "finds no speech counts as surely wrong."
    )
    title = f"Verification beside {PEER}" + (f", {through}" if conditions.names else "")
    looked = any("test" in str(row["split"]) for row in rows)
    manifest = bundle.manifest
    text = f"Bundle {manifest.name}, digest {manifest.digest[:12]}. {text}"
    section = Section(kind="comparison", title=title, command=typed(), text=text, rows=tuple(rows))
    keep(section, manifest.digest, args.json, test=looked)
    return 0


def _check(python: Path, trials: "list[Trial]") -> None:
    """Refuse what would end the run after minutes of hearing."""
    from undertone_export.evaluation.verification import refuse_missing
    from undertone_service.protocol.errors import ErrorCode, UndertoneError

    if not python.is_file():
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"There is no {python}.",
            "Run `make peer`, or give --python with the Python of an environment that has resemblyzer.",
        )
    refuse_missing(trials)
