"""``undertone evaluate BUNDLE``, and RESULTS.md from what it saved."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_export.evaluation.evaluate import Material
    from undertone_export.evaluation.report import Evaluation
    from undertone_service.bundle.bundle import Bundle

_FILE_WIDTH = 120


def configure(parser: argparse.ArgumentParser) -> None:
    """Measure a bundle on labelled speech, or write the results page from saved measurements."""
    parser.add_argument("bundle", nargs="?", help="folder or name of a bundle")
    parser.add_argument(
        "--data", action="append", default=[], metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="a table of labels (CSV); clips of no split count as those of the one measured",
    )  # fmt: skip
    parser.add_argument(
        "--root", type=Path, metavar="DIR",
        help="folder that paths in --labels and --trials start from (default: each table's own)",
    )  # fmt: skip
    parser.add_argument("--trials", type=Path, metavar="FILE", help="list of verification trials (CSV)")
    parser.add_argument(
        "--condition", metavar="NAMES",
        help="what the audio goes through first: reverb, noise10db (any level) and mulaw8k, separated by commas",
    )  # fmt: skip
    parser.add_argument(
        "--noise", type=Path, metavar="FILE",
        help="table of noises and room responses (CSV) whose test split conditions draw from",
    )  # fmt: skip
    parser.add_argument(
        "--split", choices=("train", "valid", "test"), default="test",
        help="split whose clips are measured (default: test)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the measurements")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the measurements (PNG)")
    parser.add_argument(
        "--log", type=Path, metavar="FILE",
        help="where looks at the test split are noted (default: models/TEST_LOG.csv, where there is one)",
    )  # fmt: skip
    parser.add_argument("--results", type=Path, metavar="FILE", help="write a results page, with --from")
    parser.add_argument(
        "--from", nargs="+", type=Path, default=[], dest="sources", metavar="JSON",
        help="saved measurements that the results page shows",
    )  # fmt: skip
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Do the one or the other."""
    if args.results is not None or args.sources:
        if args.bundle or args.results is None or not args.sources:
            args.refuse("a results page takes --results FILE --from JSON ..., and no bundle")
        from undertone_export.evaluation.results import write_results

        write_results(args.results, args.sources)
        return 0
    if not args.bundle or not (args.data or args.labels):
        args.refuse(
            "measuring takes a bundle and --labels or --data; a results page takes --results and --from"
        )
    return measure(args)


def measure(args: argparse.Namespace) -> int:
    """Measure a bundle, print the tables, save what was asked for."""
    from undertone_export.evaluation.evaluate import evaluate
    from undertone_models.data.test_log import TEST_LOG, note_look

    log = args.log or (TEST_LOG if TEST_LOG.is_file() else None)
    for file in filter(None, (args.json, log)):
        file.parent.mkdir(parents=True, exist_ok=True)  # now, and not after minutes of measuring
    bundle = open_bundle(args.bundle)
    evaluated = evaluate(bundle, read_material(args), args.split, command(args))
    if log and args.split == "test":
        report = evaluated.report
        note_look(log, report.digest, report.command, report.date)
    if args.json:
        args.json.write_text(evaluated.report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if args.plots:
        from undertone_export.evaluation.plots import write_plots

        write_plots(evaluated, bundle.manifest, args.plots)
    print_tables(evaluated.report)
    return 0


def read_material(args: argparse.Namespace) -> "Material":
    """Read what is measured on.

    Raises:
        UndertoneError: ``bad_request`` for tables that cannot be read, and conditions that are none.
    """
    from undertone_export.evaluation.conditions import Conditions, read_conditions
    from undertone_export.evaluation.evaluate import Material
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.labels import read_labels, reject_contradictions
    from undertone_models.data.trials import read_trials

    conditions = Conditions() if args.condition is None else read_conditions(args.condition, args.noise)
    trials = read_trials(args.trials, args.root) if args.trials else []
    clips, rejected = read_corpora(args.data)
    if args.labels:
        own, faulty = read_labels(args.labels, args.root)
        own = [clip if clip.split else replace(clip, split=args.split) for clip in own]
        clips, rejected = reject_contradictions([*clips, *own], [*rejected, *faulty])
    return Material(clips, rejected, trials, conditions)


def open_bundle(folder_or_name: str) -> "Bundle":
    """Open a bundle by its folder, or by name among the installed ones.

    Raises:
        UndertoneError: ``unknown_bundle``.
    """
    from undertone_service.bundle import library
    from undertone_service.settings import Settings

    folder = Path(folder_or_name)
    if folder.is_dir():
        return library.open_bundle(folder)
    return library.BundleLibrary(Settings().bundle_directories, folder_or_name).default


def command(args: argparse.Namespace) -> str:
    """Return what to type to measure the same again; its paths are relative ones."""
    from undertone_export.evaluation.results import shown

    folder = Path(args.bundle)
    words = ["undertone", "evaluate", shown(folder) if folder.is_dir() else args.bundle]
    for source in args.data:
        name, _, place = source.partition("=")
        words += ["--data", f"{name}={shown(Path(place))}"]
    words += _paths(args, "labels", "root", "trials")
    if args.condition:
        words += ["--condition", args.condition]
    words += [*_paths(args, "noise"), "--split", args.split, *_paths(args, "json", "plots")]
    return shlex.join(words)


def _paths(args: argparse.Namespace, *options: str) -> list[str]:
    from undertone_export.evaluation.results import shown

    given = [(option, path) for option in options if (path := getattr(args, option))]
    return [word for option, path in given for word in (f"--{option}", shown(path))]


def print_tables(report: "Evaluation") -> None:
    """Print all tables of a report."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from undertone_export.evaluation.tables import tables

    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(f"{report.title} ({report.digest[:16]})", highlight=False)
    for table in tables(report):
        shown = Table(title=table.title, box=SIMPLE_HEAD, padding=0, collapse_padding=True)
        for column in table.columns:
            shown.add_column(escape(column), overflow="fold")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
