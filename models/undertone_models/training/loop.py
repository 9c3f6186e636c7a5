"""The training loop: batches in, a checkpoint and a row of metrics out, resumable at any checkpoint."""

import copy
import csv
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader

from undertone_models.networks.sequences import encode_sequences
from undertone_models.networks.streaming import StreamingNetwork, moments
from undertone_models.teachers.pretrained import SIZE as TAUGHT
from undertone_models.teachers.voices import TaughtVoices
from undertone_models.training.augment import Augmenter
from undertone_models.training.batches import Batch, Batches, Example, examples
from undertone_models.training.checkpoints import CHECKPOINT, read_checkpoint
from undertone_models.training.corpus import Corpus, measure_corpus_mean
from undertone_models.training.losses import AngularMargin, Student, task_losses
from undertone_models.training.settings import TrainSettings
from undertone_models.training.spectral_mask import SpectralMask
from undertone_models.training.team import Team
from undertone_models.training.validate import validate
from undertone_service.protocol.errors import ErrorCode, UndertoneError

log = logging.getLogger(__name__)
TASKS = ("emotion", "gender", "age", "speaker", "taught", "speech")
METRICS = "metrics.csv"


class Training:
    """One run in one folder: ``checkpoint.pt`` (latest), ``metrics.csv`` and whatever log the caller keeps."""

    def __init__(
        self,
        settings: TrainSettings,
        corpus: Corpus,
        folder: Path,
        voices: TaughtVoices | None = None,
        start: Path | None = None,
        team: Team | None = None,
    ) -> None:
        if not corpus.train:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST, "There is no clip to train on.",
                "Give data with readable clips of the split `train`; see `undertone corpora check`.",
            )  # fmt: skip
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.corpus = corpus
        self.folder = folder
        self.step = 0
        self.labelled, self.speakers = examples(corpus.train, settings.unsure_gender, voices)
        self.heard = set(self.speakers)
        """Speakers that the weights come from, those of earlier runs included."""
        self.network = StreamingNetwork(settings.network)
        self.network.encoder.mask = SpectralMask(
            settings.augment.masked_bands, settings.augment.masked_frames
        )
        self.margin = AngularMargin(settings.network.voiceprint, len(self.speakers), settings.loss.scale)
        self.student = Student(settings.network.voiceprint, _mean_voice(self.labelled))
        self._start = start
        self._team = team or Team()
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            [*self.network.parameters(), *self.margin.parameters(), *self.student.parameters()],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        folder.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Train to the last step, from the folder's checkpoint where there is one."""
        if (self.folder / CHECKPOINT).is_file():
            self.restore()
        elif self._start:
            self.begin_from(self._start)
        else:
            self._measure_corpus_mean()
        columns = [
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        ]  # fmt: skip
        with Progress(*columns, refresh_per_second=1, disable=not self._team.leads) as progress:
            bar = progress.add_task("Training", total=self.settings.steps, completed=self.step, losses="")
            for batch in self._batches():
                started = time.monotonic()
                losses = self._train(batch)
                shown = " ".join(f"{name} {value:.2f}" for name, value in losses.items())
                progress.update(bar, completed=self.step, losses=shown)
                if self._team.leads:
                    self._record(losses, time.monotonic() - started)
        if self._team.leads:
            self.save()

    def restore(self) -> None:
        """Continue from the checkpoint.

        Raises:
            UndertoneError: ``bad_request`` where it cannot be read, ``conflict`` where it is of another run.
        """
        saved = read_checkpoint(self.folder / CHECKPOINT)
        if saved["speakers"] != self.speakers:
            raise UndertoneError(
                ErrorCode.CONFLICT, f"The run in {self.folder} was trained on other speakers.",
                "Give the same data to resume it, or another name to begin a new run.",
            )  # fmt: skip
        if saved["settings"]["network"] != asdict(self.settings.network):
            raise UndertoneError(
                ErrorCode.CONFLICT, f"The network of the run in {self.folder} has other sizes.",
                "Give the same network settings to resume it, or another name to begin a new run.",
            )  # fmt: skip
        self.step = saved["step"]
        self.heard = set(saved.get("heard", saved["speakers"]))
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.margin.load_state_dict(saved["margin"])
        self.student.load_state_dict(saved["student"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self._team.leads:
            self._forget_later_metrics()
        log.info("resumed at step %d", self.step)

    def begin_from(self, checkpoint: Path) -> None:
        """Take over the weights of another run's network, and the centres of the speakers that both have.

        Raises:
            UndertoneError: ``bad_request`` where it cannot be read, ``conflict`` where its network has other sizes.
        """
        saved = read_checkpoint(checkpoint)
        if saved["settings"]["network"] != asdict(self.settings.network):
            raise UndertoneError(
                ErrorCode.CONFLICT, f"The network of {checkpoint} has other sizes.",
                "Give the same network settings, or begin from nothing.",
            )  # fmt: skip
        self.heard |= set(saved.get("heard", saved["speakers"]))
        self.network.load_state_dict(saved["average"])
        self.average.load_state_dict(saved["average"])
        if saved["student"]["mean"].any():
            self.student.load_state_dict(saved["student"])
        known = {speaker: i for i, speaker in enumerate(saved["speakers"])}
        with torch.no_grad():
            for i, speaker in enumerate(self.speakers):
                if speaker in known:
                    self.margin.centres[i] = saved["margin"]["centres"][known[speaker]]
        log.info("began from %s, step %d", checkpoint, saved["step"])

    def _forget_later_metrics(self) -> None:
        """Drop the rows of steps that a crash undid and that will be made again."""
        path = self.folder / METRICS
        if path.exists():
            header, *rows = path.read_text().splitlines(keepends=True)
            path.write_text(header + "".join(row for row in rows if int(row.partition(",")[0]) <= self.step))

    def save(self) -> None:
        """Write the checkpoint in one move, so that a crash leaves the former one."""
        partial = self.folder / f"{CHECKPOINT}.partial"
        torch.save(
            {
                "step": self.step,
                "settings": asdict(self.settings),
                "speakers": self.speakers,
                "heard": sorted(self.heard),
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "margin": self.margin.state_dict(),
                "student": self.student.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            partial,
        )
        partial.replace(self.folder / CHECKPOINT)

    def _measure_corpus_mean(self) -> None:
        random = np.random.default_rng(self.settings.seed)
        count = min(400, len(self.corpus.train))
        chosen = random.choice(len(self.corpus.train), count, replace=False)
        measure_corpus_mean(
            self.network.encoder, [self.corpus.cache[self.corpus.train[i].path] for i in chosen]
        )
        self.average.load_state_dict(self.network.state_dict())

    def _batches(self) -> Iterator[Batch]:
        settings = self.settings
        augmenter = Augmenter(settings.augment, self.corpus.noises, self.corpus.responses)
        batches = Batches(
            self.labelled, self.corpus.cache, self.corpus.noises, augmenter, settings.sampling,
            seed=settings.seed, start=self.step, stop=settings.steps, team=self._team,
        )  # fmt: skip
        prefetch = 4 if settings.workers else None
        return iter(
            DataLoader(
                batches,
                batch_size=None,
                num_workers=settings.workers,
                prefetch_factor=prefetch,
            )
        )

    def _train(self, batch: Batch) -> dict[str, float]:
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        # Dropout and hidden bands depend on seed, step and process alone: a resumed run equals one never stopped.
        torch.manual_seed((settings.seed * settings.steps + self.step) * self._team.size + self._team.rank)
        losses = self._losses(batch)
        total: Tensor = sum((getattr(settings.loss, n) * loss for n, loss in losses.items()), torch.zeros(()))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self._team.average_gradients(p for group in self.optimiser.param_groups for p in group["params"])
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.gradient_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
        else:
            log.warning("step %d: gradient is not finite, batch skipped", self.step)
        self.step += 1
        self._average()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        network, settings = self.network, self.settings
        statistics, speech, _ = encode_sequences(network.encoder, batch.samples, batch.mask, batch.first)
        outputs = network.heads.logits(moments(statistics.sum(dim=1), settings.network.pools()))
        radians = settings.loss.margin * min(1.0, self.step / max(settings.margin_warm_up, 1))
        return task_losses(outputs, speech, batch, self.margin, self.student, radians, settings.loss)

    def _learning_rate(self) -> float:
        settings = self.settings
        rising = min(1.0, (self.step + 1) / max(settings.warm_up, 1))
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / settings.steps)))
        return settings.learning_rate * rising * max(falling, 0.01)

    def _average(self) -> None:
        # Early on the average is short, so that it forgets the random start.
        decay = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)

    def _record(self, losses: dict[str, float], seconds: float) -> None:
        settings = self.settings
        row: dict[str, Any] = {"step": self.step, "seconds": round(seconds, 3), **losses}
        last = self.step == settings.steps
        if self.step % settings.validate_every == 0 or last:
            row |= self._validate()
            log.info("step %d: %s", self.step, {k: round(v, 4) for k, v in row.items()})
        if self.step % settings.checkpoint_every == 0:
            self.save()
        self._write(row)

    def _validate(self) -> dict[str, float]:
        labelled, _ = examples(self.corpus.valid, self.settings.unsure_gender)
        random = np.random.default_rng(0)
        count = min(self.settings.validation_clips, len(labelled))
        chosen = [labelled[i] for i in random.choice(len(labelled), count, replace=False)]
        return validate(self.average, chosen, self.corpus.cache)

    def _write(self, row: dict[str, Any]) -> None:
        path = self.folder / METRICS
        names = ["step", "seconds", *TASKS, "valid_emotion", "valid_gender", "valid_age", "valid_eer"]
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, names, restval="")
            if fresh:
                writer.writeheader()
            writer.writerow({k: round(v, 5) for k, v in row.items()})


def _mean_voice(labelled: Sequence[Example]) -> Tensor:
    """Return the mean f32[256] of the teacher's voiceprints, each speaker counting alike; zeros without a teacher."""
    by_speaker = {e.speaker: e.taught for e in labelled if e.taught is not None}
    if not by_speaker:
        return torch.zeros(TAUGHT)
    return torch.from_numpy(np.mean(np.stack(list(by_speaker.values())), axis=0, dtype=np.float64)).float()
