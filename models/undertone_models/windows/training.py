"""The loop of window recipes: epochs over clips, the best on the clips to choose by, resumable after any epoch."""

import copy
import csv
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from undertone_models.networks.published.fronted import Fronted
from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.windows.checkpoints import describe, read_window_checkpoint
from undertone_models.windows.clips import Labels, Windows
from undertone_models.windows.fronts import Known, keep_disturbed, keep_fronts, mask_spans
from undertone_models.windows.losses import task_losses
from undertone_models.windows.recipes import WindowRecipe
from undertone_models.windows.scores import answer_windows, measures, merit
from undertone_service.dsp import SAMPLE_RATE
from undertone_service.protocol.errors import ErrorCode, UndertoneError

log = logging.getLogger(__name__)
METRICS = "metrics.csv"
_GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class Trainee:
    """A network with what its checkpoint has to say of it; ``stand`` is of ``load_stand``."""

    network: nn.Module
    recipe: WindowRecipe
    labels: Labels
    stand: Mapping[str, Any]


class WindowTraining:
    """One run in one folder: ``checkpoint.pt`` (latest and best) and ``metrics.csv``.

    Without clips to choose by, the last epoch is the best.
    """

    def __init__(
        self, trainee: Trainee, train: Windows, valid: Windows, folder: Path, known: Known | None = None
    ) -> None:
        """Take the clips to train on and to choose by; ``known`` is what other runs kept of the same front."""
        if not train.clips:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                "There is no clip to train on.",
                "Give data with readable clips of the recipe's corpora; see `undertone corpora check`.",
            )
        self.network = trainee.network
        self.recipe = trainee.recipe
        if not isinstance(self.network, Fronted) and (
            self.recipe.draws == "once" or self.recipe.augment.masked
        ):
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"All of the network {self.recipe.network!r} learns: it has no front to keep, or to hide parts of.",
                "Give draws=anew and augment.masked=0.",
            )
        self.best: dict[str, Tensor] = {}
        self.best_merit = -math.inf
        self.best_epoch = 0
        self.epoch = 0
        self.trainee = trainee
        self.train = train
        self.valid = valid
        self._folder = folder
        self._known: Known = {} if known is None else known
        self._fronts: Tensor | None = None
        self._valid_fronts: Tensor | None = None
        learning = [p for p in self.network.parameters() if p.requires_grad]
        self._optimiser = _optimiser(learning, self.recipe)
        folder.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Train to the last epoch, from the folder's checkpoint where there is one."""
        # What an LSTM forgets gets so small that processors take far longer over it.
        torch.set_flush_denormal(True)
        try:
            self._run()
        finally:
            torch.set_flush_denormal(False)

    def _run(self) -> None:
        if (self._folder / CHECKPOINT).is_file():
            self._restore()
        if self.recipe.draws == "once" and self.epoch < self.recipe.epochs:
            self._keep_fronts()
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[found]}"),
        ]
        with Progress(*columns, refresh_per_second=1) as progress:
            bar = progress.add_task("Epochs", total=self.recipe.epochs, completed=self.epoch, found="")
            while self.epoch < self.recipe.epochs and not self._tired():
                started = time.monotonic()
                losses = self._learn()
                found = self._choose()
                self._save()
                row = {"epoch": self.epoch, "seconds": time.monotonic() - started, **losses, **found}
                self._write(row)
                shown = " ".join(f"{name} {value:.3f}" for name, value in row.items() if name != "epoch")
                log.info("epoch %d: %s", self.epoch, shown)
                progress.update(bar, completed=self.epoch, found=shown[:80])
        self.network.load_state_dict(self.best)
        self.network.eval()

    def _keep_fronts(self) -> None:
        assert isinstance(self.network, Fronted)
        self._fronts = keep_disturbed(self.network, self.train, self.recipe, self._known)
        self._valid_fronts = keep_fronts(self.network, self.valid, self._known)

    def _answer(self, drawn: Tensor, random: np.random.Generator) -> dict[str, Tensor]:
        """Answer to samples, or to what the front made of them; what the front gives is partly hidden if asked for."""
        network = self.network
        if not isinstance(network, Fronted):
            answers: dict[str, Tensor] = network(drawn)
            return answers
        if self._fronts is None:
            with torch.no_grad():
                drawn = network.front(drawn)
        if share := self.recipe.augment.masked:
            drawn = mask_spans(drawn, share, random, network.marks)
        return network.answer(drawn)

    def _learn(self) -> dict[str, float]:
        """One epoch; return the mean loss of each task."""
        recipe = self.recipe
        self.network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _share(recipe, self.epoch)
        sums: dict[str, float] = {}
        count = 0
        random = np.random.default_rng((recipe.seed, self.epoch))
        for drawn, indices in self._batches(random):
            targets = self.train.targets(indices, list(recipe.tasks))
            losses = task_losses(self._answer(drawn, random), targets, recipe)
            total = torch.stack([recipe.tasks[task] * loss for task, loss in losses.items()]).sum()
            self._optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)
            if torch.isfinite(norm):
                self._optimiser.step()
            count += 1
            for task, loss in losses.items():
                sums[f"{task}_trained"] = sums.get(f"{task}_trained", 0.0) + float(loss.detach())
        self.epoch += 1
        return {name: value / count for name, value in sums.items()}

    def _batches(self, random: np.random.Generator) -> Iterator[tuple[Tensor, list[int]]]:
        """Every clip once, and its noisy copies, in an order that depends on seed and epoch alone."""
        augment = self.recipe.augment
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch)
        clips = len(self.train.clips)
        order = random.permutation(clips * (1 + augment.noisy_copies))
        size = self.recipe.batch
        crop = round(SAMPLE_RATE * self.recipe.crop_seconds) if self.recipe.crop_seconds else None
        for start in range(0, len(order), size):
            drawn = order[start : start + size].tolist()
            if len(drawn) == 1 and start:
                return  # a batch norm of one is none
            indices = [number % clips for number in drawn]
            if self._fronts is not None:
                yield self._fronts[drawn], indices
                continue
            noisy = [number >= clips for number in drawn]
            yield self.train.draw(indices, augment, random, noisy, crop), indices

    def _choose(self) -> dict[str, float]:
        """Measure on the clips to choose by, and keep the network where it is the best so far."""
        found: dict[str, float] = {}
        worth = float(self.epoch)
        if self.valid.clips:
            found = measures(
                answer_windows(self.network, self.valid, self._valid_fronts), self.valid, self.recipe
            )
            worth = merit(found, list(self.recipe.tasks))
        if worth > self.best_merit or not self.best:
            self.best = copy.deepcopy(self.network.state_dict())
            self.best_merit, self.best_epoch = worth, self.epoch
        return {f"valid_{name}": value for name, value in found.items()}

    def _tired(self) -> bool:
        return bool(self.recipe.patience) and self.epoch - self.best_epoch >= self.recipe.patience

    def _save(self) -> None:
        """Write the checkpoint in one move, so that a crash leaves the former one."""
        partial = self._folder / f"{CHECKPOINT}.partial"
        trainee = self.trainee
        torch.save(
            {
                **describe(trainee.recipe, trainee.labels, trainee.stand),
                "epoch": self.epoch,
                "best_epoch": self.best_epoch,
                "best_merit": self.best_merit,
                "speakers": sorted({clip.speaker for clip in self.train.clips if clip.speaker}),
                "network": self.network.state_dict(),
                "best": self.best,
                "optimiser": self._optimiser.state_dict(),
            },
            partial,
        )
        partial.replace(self._folder / CHECKPOINT)

    def _restore(self) -> None:
        """Continue from the checkpoint.

        Raises:
            UndertoneError: ``bad_request`` where it cannot be read, ``conflict`` where it is of another run.
        """
        saved = read_window_checkpoint(self._folder / CHECKPOINT)
        trainee = self.trainee
        wanted = describe(trainee.recipe, trainee.labels, trainee.stand)
        for name, value in wanted.items():
            if saved[name] != value:
                raise UndertoneError(
                    ErrorCode.CONFLICT,
                    f"The run in {self._folder} was begun with another {name}.",
                    "Give the same to resume it, or another name to begin a new run.",
                )
        self.epoch, self.best_epoch, self.best_merit = (
            saved["epoch"],
            saved["best_epoch"],
            saved["best_merit"],
        )
        self.network.load_state_dict(saved["network"])
        self.best = saved["best"]
        self._optimiser.load_state_dict(saved["optimiser"])
        log.info("resumed after epoch %d", self.epoch)

    def _write(self, row: Mapping[str, float]) -> None:
        path = self._folder / METRICS
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({name: round(value, 5) for name, value in row.items()})


def _optimiser(parameters: list[nn.Parameter], recipe: WindowRecipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.learning_rate, momentum=0.9, weight_decay=recipe.weight_decay
        )
    return torch.optim.Adam(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _share(recipe: WindowRecipe, epoch: int) -> float:
    """Return the part of the learning rate that an epoch, counted from 0, has."""
    if recipe.schedule == "steps":
        return float(0.1 ** (epoch // recipe.step_epochs))
    if recipe.schedule == "cosine":
        return max(0.01, 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs)))
    return 1.0
