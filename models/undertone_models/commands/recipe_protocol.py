"""``undertone protocol NAME --recipe RECIPE``: a published system, trained and measured round after round."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from undertone_models.commands.places import runs_folder, shown_path
from undertone_models.protocols.recipe_rounds import RECIPE_PROTOCOLS
from undertone_models.protocols.rounds import choose_rounds

if TYPE_CHECKING:
    from pathlib import Path

    from undertone_models.protocols.recipe_running import RecipeOutcome
    from undertone_models.protocols.rounds import Round
    from undertone_models.windows.recipes import WindowRecipe


def run(args: argparse.Namespace) -> int:
    """Run the rounds; the table is written after each, and a look at the test split is noted before the first."""
    import logging

    from undertone_models.data.audio import AudioCache
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.test_log import TEST_LOG, note_look
    from undertone_models.protocols.recipe_running import FOUND, Basis, run_recipe_round
    from undertone_models.protocols.running import refuse_heard
    from undertone_models.windows.checkpoints import read_window_checkpoint
    from undertone_models.windows.recipes import load_recipe

    recipe = load_recipe(args.recipe, args.overrides)
    clips, rejected = read_corpora(args.data)
    clips = [clip for clip in clips if not recipe.corpora or clip.corpus in recipe.corpora]
    clips = [clip for clip in clips if args.sex in (None, clip.sex)]
    rounds = RECIPE_PROTOCOLS[args.protocol].rounds(clips)
    chosen = choose_rounds(rounds, args.rounds)
    if args.start:
        refuse_heard(args.start, set(read_window_checkpoint(args.start)["speakers"]), chosen)
    cache = AudioCache.build([clip.path for clip in clips], "recipes")
    for fault in rejected + cache.rejected:
        logging.warning("skipped %s: %s", fault.path, fault.reason)
    basis = Basis(args.encoder, args.start)
    outcomes: list[RecipeOutcome] = []
    noted = not TEST_LOG.is_file()
    for one, seeded in _seeded(chosen, recipe, args.seeds):
        print(f"Round {one.name}: {len(one.training)} clips to train on, {len(one.held_out)} held out")
        folder = runs_folder() / (args.name or default_name(args)) / one.name
        # A random draw holds out known speakers: its networks are thrown away, and choose nothing.
        looks = one.apart != "path" and any(clip.split == "test" for clip in one.held_out)
        if looks and not noted and not (folder / FOUND).is_file():
            note_look(TEST_LOG, args.recipe, command(args))
            noted = True
        outcomes.append(run_recipe_round(one, seeded, basis, cache, folder))
        found = section(args, recipe, outcomes, of=len(rounds) * args.seeds)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["rows"], indent=1))
    return 0


def _seeded(
    rounds: Sequence[Round], recipe: WindowRecipe, seeds: int
) -> Iterator[tuple[Round, WindowRecipe]]:
    """Yield each round with the recipe of each seed; only further seeds are named."""
    for one in rounds:
        for seed in range(recipe.seed, recipe.seed + seeds):
            name = one.name if seed == recipe.seed else f"{one.name}-seed-{seed}"
            yield replace(one, name=name), replace(recipe, seed=seed)


def default_name(args: argparse.Namespace) -> str:
    """Return the name of the rounds' folder: another for each recipe, sex and override."""
    words = [args.recipe, args.protocol, *([args.sex] if args.sex else []), *args.overrides]
    return "-".join(word.replace("/", "_") for word in words)


def section(
    args: argparse.Namespace, recipe: WindowRecipe, outcomes: Sequence[RecipeOutcome], of: int
) -> dict[str, Any]:
    """Return what the rounds found so far as ``undertone evaluate --results`` reads it."""
    from undertone_models.protocols.recipe_report import class_rows, corpora_rows, deviations, report, summary

    protocol = RECIPE_PROTOCOLS[args.protocol]
    sex = {"male": ", men", "female": ", women", None: ""}[args.sex]
    begun = (
        f"Each round begins with the weights of the run `{args.start.parent.name}`. " if args.start else ""
    )
    seeds = "seed " + ", ".join(str(seed) for seed in range(recipe.seed, recipe.seed + args.seeds))
    classes = [row for task in outcomes[0].by_class for row in class_rows(outcomes, task)]
    return {
        "kind": "recipe",
        "title": f"{args.recipe}: {protocol.title}{sex}",
        "command": command(args),
        "text": (
            f"{protocol.text} {len(outcomes)} of {of} rounds; {seeds}. The epoch is chosen on clips that "
            f"are neither trained on nor held out. {begun}{recipe.source}"
        ),
        "rows": report(outcomes),
        "recipe": args.recipe,
        "protocol": args.protocol,
        "sex": args.sex,
        "overrides": args.overrides,
        "measures": summary(outcomes),
        "deviations": deviations(outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes)),
        "parameters": outcomes[0].parameters,
        "megabytes": round(outcomes[0].megabytes, 2),
        "rounds": len(outcomes),
        "epochs": max(outcome.epochs for outcome in outcomes),
        "corpora": corpora_rows(outcomes),
        "classes": classes,
    }


def command(args: argparse.Namespace) -> str:
    """Return what to type to measure the same again, without the paths of this machine alone."""
    from pathlib import Path

    words = ["undertone", "protocol", args.protocol, "--recipe", args.recipe]
    for source in args.data:
        name, _, place = source.partition("=")
        words += ["--data", f"{name}={shown_path(Path(place))}"]
    paths: list[tuple[str, Path | None]] = [
        ("--encoder", args.encoder),
        ("--start", args.start),
        ("--json", args.json),
    ]
    for option, path in paths:
        if path:
            words += [option, shown_path(path)]
    for option, text in (("--sex", args.sex), ("--rounds", args.rounds), ("--name", args.name)):
        if text:
            words += [option, shlex.quote(text)]
    if args.seeds > 1:
        words += ["--seeds", str(args.seeds)]
    for override in args.overrides:
        words += ["--set", shlex.quote(override)]
    return " ".join(words)
