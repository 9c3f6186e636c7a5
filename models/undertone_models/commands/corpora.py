"""``undertone corpora``: which corpora can be read, what is in those at hand, and lists made from them."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_models.data.clips import Clip, Rejected


def configure(parser: argparse.ArgumentParser) -> None:
    """Show, check and list the speech corpora that networks are trained and measured on."""
    steps = parser.add_subparsers(metavar="STEP", required=True)

    known = steps.add_parser("list", help="the corpora that can be read, and where they are had")
    known.set_defaults(run=list_corpora)

    check = steps.add_parser("check", help="what is read of your data, what is rejected, and why")
    _add_data(check)
    check.add_argument("--labels-only", action="store_true", help="read no audio: quick, misses bad files")
    check.add_argument("--rejected", type=Path, metavar="FILE", help="write all that is rejected to a CSV")
    check.set_defaults(run=check_data)

    lists = steps.add_parser("lists", help="write labels.csv with splits, trials.csv and trials-valid.csv")
    _add_data(lists)
    lists.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the lists")
    lists.set_defaults(run=write_lists)


def list_corpora(args: argparse.Namespace) -> int:
    """Print the corpora that ``--data`` knows."""
    from undertone_models.data.corpora import CORPORA

    for corpus in CORPORA.values():
        print(f"{corpus.name}: {corpus.title}")
        print(f"    from:    {corpus.home}")
        print(f"    licence: {corpus.licence}")
        print(f"    layout:  {corpus.layout}")
    return 0


def check_data(args: argparse.Namespace) -> int:
    """Print what is read and what is rejected; the status is 1 where nothing can be used."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.readable import readable_clips

    clips, rejected = read_corpora(args.data)
    if not args.labels_only:
        clips, unreadable = readable_clips(clips)
        rejected += unreadable
    _print_clips(clips)
    _print_rejected(rejected)
    if args.rejected is not None:
        _write_rejected(args.rejected, rejected)
    return 0 if clips else 1


def write_lists(args: argparse.Namespace) -> int:
    """Write the label table and the trial lists; the status is 1 where nothing can be used."""
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.labels import write_labels
    from undertone_models.data.readable import readable_clips
    from undertone_models.data.trial_lists import make_trials
    from undertone_models.data.trials import write_trials

    clips, rejected = read_corpora(args.data)
    clips, unreadable = readable_clips(clips)
    args.out.mkdir(parents=True, exist_ok=True)
    write_labels(args.out / "labels.csv", clips, args.out)
    for name, split in (("trials.csv", "test"), ("trials-valid.csv", "valid")):
        write_trials(args.out / name, make_trials(clip for clip in clips if clip.split == split), args.out)
    _print_clips(clips)
    _print_rejected(rejected + unreadable)
    return 0 if clips else 1


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip


def _print_clips(clips: Iterable[Clip]) -> None:
    """Print counts by corpus; ``sex`` and ``age`` count the clips of which they are known."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from undertone_models.data.labels import SPLITS

    by_corpus: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_corpus[clip.corpus].append(clip)
    table = Table(title="Read", box=SIMPLE_HEAD, padding=0, collapse_padding=True)
    table.add_column("corpus", no_wrap=True)
    for column in ("speakers", "clips", "hours", "sex", "age", "emotions", *SPLITS):
        table.add_column(column, justify="right", no_wrap=True)
    for corpus, its in sorted(by_corpus.items()):
        table.add_row(
            corpus,
            str(len({clip.speaker for clip in its if clip.speaker})),
            str(len(its)),
            f"{sum(clip.seconds or 0.0 for clip in its) / 3600:.2f}",
            str(sum(clip.sex is not None for clip in its)),
            str(sum(clip.age is not None or clip.age_band is not None for clip in its)),
            str(len({clip.emotion for clip in its} - {None})),
            *(str(sum(clip.split == split for clip in its)) for split in SPLITS),
        )
    Console().print(table)


def _print_rejected(rejected: Iterable[Rejected]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    by_reason: dict[str, list[str]] = defaultdict(list)
    for fault in rejected:
        by_reason[fault.reason].append(fault.path)
    if not by_reason:
        return
    table = Table("reason", "files", "for example", title="Rejected", box=SIMPLE)
    for reason, paths in sorted(by_reason.items()):
        table.add_row(escape(reason), str(len(paths)), escape(paths[0]))
    Console().print(table)


def _write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "reason"))
        writer.writerows((fault.path, fault.reason) for fault in rejected)
