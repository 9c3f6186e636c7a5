"""``undertone protocol NAME``."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertone_models.commands import recipe_protocol
from undertone_models.commands.places import runs_folder, shown_path
from undertone_models.protocols.recipe_rounds import RECIPE_PROTOCOLS
from undertone_models.protocols.rounds import PROTOCOLS, choose_rounds, emotional

if TYPE_CHECKING:
    from undertone_models.protocols.running import Outcome, Trunk
    from undertone_models.training.settings import TrainSettings

_RECIPE = "protocol"
_FILE_WIDTH = 240


def configure(parser: argparse.ArgumentParser) -> None:
    """Train without some clips and test on them, round after round; run it again to resume."""
    parser.add_argument(
        "protocol", choices=[*PROTOCOLS, *RECIPE_PROTOCOLS], metavar="NAME",
        help=f"of the streaming network: {', '.join(PROTOCOLS)}; with --recipe: {', '.join(RECIPE_PROTOCOLS)}",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", metavar="RECIPE", help="a published system in place of the streaming network"
    )
    parser.add_argument("--sex", choices=("female", "male"), help="with --recipe: speakers of this sex alone")
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="with --recipe: what the network stands on, where it does",
    )
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--noise", type=Path, metavar="FILE", help="table of noises and room responses (CSV)")
    parser.add_argument(
        "--start", type=Path, metavar="FILE",
        help="checkpoint of a run that heard nobody who is held out, which each round begins with",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", metavar="NAME,...", help="a fold's number, a seed or a corpus (default: all)"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N",
        help="with --recipe: train each round so many times, from the recipe's seed on (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--name", metavar="NAME", help="name of the rounds' folder in the cache (default: the protocol's)"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="NAME=VALUE",
        help=f"override a setting of the recipe `{_RECIPE}`, such as steps=200; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Run the rounds; the table is written after each, and a look at the test split is noted before the first."""
    import logging

    known = RECIPE_PROTOCOLS if args.recipe else PROTOCOLS
    if args.protocol not in known:
        args.refuse(f"{args.protocol} goes {'without' if args.recipe else 'with'} --recipe")
    if args.seeds < 1 or (args.seeds > 1 and not args.recipe):
        args.refuse("--seeds takes 1 or more, and goes with --recipe")
    if args.recipe:
        return recipe_protocol.run(args)
    if not args.start:
        args.refuse("the streaming network needs --start: rounds are short, and begin with a trained one")

    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.noise import read_noises
    from undertone_models.data.test_log import TEST_LOG, note_look
    from undertone_models.protocols.running import (
        ANSWERS,
        gather_emotional,
        read_trunk,
        refuse_heard,
        run_round,
    )
    from undertone_models.training.settings import load_settings

    settings = load_settings(_RECIPE, args.overrides)
    clips, rejected = read_corpora(args.data)
    clips = emotional(clips)
    rounds = PROTOCOLS[args.protocol].rounds(clips)
    chosen = choose_rounds(rounds, args.rounds)
    trunk = read_trunk(args.start)
    refuse_heard(trunk.path, trunk.speakers, chosen)
    corpus = gather_emotional(clips, read_noises(args.noise) if args.noise else [])
    for fault in rejected + corpus.cache.rejected:
        logging.warning("skipped %s: %s", fault.path, fault.reason)
    outcomes: list[Outcome] = []
    noted = not TEST_LOG.is_file()
    for one in chosen:
        print(f"Round {one.name}: {len(one.training)} clips to train on, {len(one.held_out)} held out")
        folder = runs_folder() / (args.name or args.protocol) / one.name
        looks = not (folder / ANSWERS).is_file() and any(clip.split == "test" for clip in one.held_out)
        if looks and not noted:
            note_look(TEST_LOG, trunk.digest, command(args))
            noted = True
        outcomes.append(run_round(one, settings, trunk, corpus, folder))
        found = section(args, settings, trunk, outcomes, of=len(rounds))
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _print(found)
    return 0


def section(
    args: argparse.Namespace, settings: TrainSettings, trunk: Trunk, outcomes: Sequence[Outcome], of: int
) -> dict[str, Any]:
    """Return what the rounds found so far as ``undertone evaluate --results`` reads it."""
    from undertone_models.protocols.report import RESAMPLES, report

    protocol = PROTOCOLS[args.protocol]
    return {
        "kind": "protocol",
        "title": protocol.title,
        "command": command(args),
        "text": (
            f"{protocol.text} {len(outcomes)} of {of} rounds. Each begins with the weights of one trunk (checkpoint "
            f"{trunk.digest[:12]}, step {trunk.step}, {len(trunk.speakers)} speakers, none of them held out) and makes "
            f"{settings.steps} steps on clips with an emotion alone; nothing is chosen on the clips held out. "
            f"The averaged network hears each of them whole, undisturbed; one in which no speech is found is an error. "
            f"Low and high: 95 % interval from {RESAMPLES:,} resamples of the speakers, none where there is one. "
            f"Guessing: always answering the most frequent emotion of the clips measured. Seconds: of training."
        ),
        "rows": report(outcomes),
    }


def command(args: argparse.Namespace) -> str:
    """Return what to type to measure the same again, without the paths of this machine alone."""
    words = ["undertone", "protocol", args.protocol]
    for source in args.data:
        name, _, place = source.partition("=")
        words += ["--data", f"{name}={shown_path(Path(place))}"]
    for option, path in (("--noise", args.noise), ("--start", args.start), ("--json", args.json)):
        if path:
            words += [option, shown_path(path)]
    for option, text in (("--rounds", args.rounds), ("--name", args.name)):
        if text:
            words += [option, shlex.quote(text)]
    for override in args.overrides:
        words += ["--set", shlex.quote(override)]
    return " ".join(words)


def _print(found: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    rows: list[dict[str, object]] = found["rows"]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=found["title"], box=SIMPLE_HEAD, padding=0, collapse_padding=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    console.print(table)
