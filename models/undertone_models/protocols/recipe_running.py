"""One round of a window recipe: train, measure the clips held out, keep what was found."""

import csv
import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from undertone_models.data.audio import AudioCache
from undertone_models.networks.published.fronted import Fronted
from undertone_models.protocols.rounds import Round
from undertone_models.protocols.running import keep_plan
from undertone_models.windows.assemble import make_training, readable
from undertone_models.windows.clips import UNKNOWN, Labels, Windows
from undertone_models.windows.fronts import Known, keep_fronts
from undertone_models.windows.recipes import Task, WindowRecipe
from undertone_models.windows.scores import VOICEPRINT, answer_windows, measures, pairs_right
from undertone_models.windows.training import METRICS

FOUND = "found.json"


@dataclass(frozen=True)
class TaskFound:
    """Clips of each class that were held out, and of them those answered right and those answered so in all."""

    truths: dict[str, int]
    right: dict[str, int]
    answered: dict[str, int]


@dataclass(frozen=True)
class RecipeOutcome:
    """A finished round: measures as of ``scores.measures``, counts by class, and what the network took."""

    name: str
    measures: dict[str, float]
    by_class: dict[str, TaskFound]
    by_corpus: dict[str, dict[str, float]]
    trained_on: int
    held_out: int
    epochs: int
    best_epoch: int
    seconds: float
    parameters: int
    megabytes: float = 0.0
    """Weights and tables in single precision, which is what a bundle of it takes."""


_OUTCOME = TypeAdapter(RecipeOutcome)


@dataclass(frozen=True)
class Basis:
    """What the networks of all rounds stand on, and the run whose weights they begin with."""

    encoder: Path | None = None
    start: Path | None = None
    known: Known = field(default_factory=dict)


def run_recipe_round(
    one: Round, recipe: WindowRecipe, basis: Basis, cache: AudioCache, folder: Path
) -> RecipeOutcome:
    """Train and measure in a folder, from wherever an earlier run of the same round stopped.

    Raises:
        UndertoneError: ``conflict`` where the folder holds a round of another plan.
    """
    keep_plan(_plan(one, recipe, basis), folder)
    try:
        return _OUTCOME.validate_json((folder / FOUND).read_bytes())
    except (OSError, ValidationError):
        pass  # not finished yet
    training = make_training(
        one.training, one.validation, recipe, basis.encoder, cache, folder, basis.start, basis.known
    )
    training.run()
    held_out = training.train.of(readable(one.held_out, cache))
    fronts = None
    if recipe.draws == "once":
        assert isinstance(training.network, Fronted), "or it had not been trained"
        fronts = keep_fronts(training.network, held_out, basis.known)
    outputs = answer_windows(training.network, held_out, fronts)
    found = measures(outputs, held_out, recipe)
    if VOICEPRINT in outputs:
        valid = training.valid
        found["pairs"] = pairs_right(outputs, held_out, answer_windows(training.network, valid), valid)
    corpora = sorted({clip.corpus for clip in held_out.clips})
    outcome = RecipeOutcome(
        one.name,
        found,
        {task: _by_class(task, outputs, held_out, training.trainee.labels) for task in _classified(recipe)},
        {corpus: _of_corpus(corpus, outputs, held_out, recipe) for corpus in corpora},
        trained_on=len(training.train.clips),
        held_out=len(held_out.clips),
        epochs=training.epoch,
        best_epoch=training.best_epoch,
        seconds=_seconds(folder / METRICS),
        parameters=sum(p.numel() for p in training.network.parameters()),
        megabytes=sum(t.nbytes for t in (*training.network.parameters(), *training.network.buffers())) / 1e6,
    )
    partial = folder / f"{FOUND}.partial"
    partial.write_bytes(_OUTCOME.dump_json(outcome))
    partial.replace(folder / FOUND)
    return outcome


def _classified(recipe: WindowRecipe) -> list[Task]:
    return [task for task in recipe.tasks if task not in ("age", "speaker")]


def _by_class(
    task: Task, outputs: dict[str, NDArray[np.float32]], windows: Windows, labels: Labels
) -> TaskFound:
    names: tuple[str, ...] = getattr(labels, task)
    truth = windows.targets(range(len(windows.clips)), [task])[task].numpy()
    pairs = [
        (names[t], names[a]) for t, a in zip(truth, outputs[task].argmax(axis=1), strict=True) if t != UNKNOWN
    ]
    return TaskFound(
        dict(Counter(true for true, _ in pairs)),
        dict(Counter(true for true, answer in pairs if true == answer)),
        dict(Counter(answer for _, answer in pairs)),
    )


def _of_corpus(
    corpus: str, outputs: dict[str, NDArray[np.float32]], windows: Windows, recipe: WindowRecipe
) -> dict[str, float]:
    rows = [number for number, clip in enumerate(windows.clips) if clip.corpus == corpus]
    part = windows.of([windows.clips[number] for number in rows])
    return {
        "clips": len(rows),
        **measures({name: values[rows] for name, values in outputs.items()}, part, recipe),
    }


def _plan(one: Round, recipe: WindowRecipe, basis: Basis) -> str:
    paths = [
        [os.path.abspath(clip.path) for clip in clips]
        for clips in (one.training, one.validation, one.held_out)
    ]
    below = [
        hashlib.sha256(file.read_bytes()).hexdigest() if file and file.is_file() else str(file)
        for file in (basis.encoder, basis.start)
    ]
    # What it was published as does not change what it finds.
    return repr((replace(recipe, source=""), below, paths))


def _seconds(metrics: Path) -> float:
    """Return the seconds that all epochs took, whenever they were made."""
    with metrics.open(newline="") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))
