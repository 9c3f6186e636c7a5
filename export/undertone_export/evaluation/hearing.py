"""Let a bundle hear recordings: each once, however many clips and trials ask for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from undertone_export.recordings import answer_sums, sum_recordings
from undertone_models.data.audio import UnreadableAudio, load_audio
from undertone_models.data.clips import Rejected
from undertone_service.bundle.streaming import Bundle, Outputs
from undertone_service.dsp import STEP_SAMPLES

_HEARD_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A recording, or its first ``samples`` at 16 kHz."""

    path: Path
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a bundle makes of an excerpt, over ``speech`` net seconds (above 0)."""

    outputs: Outputs
    speech: float


class Hearing:
    """All that a bundle heard. ``unusable`` lists the recordings that hold no sound."""

    def __init__(self) -> None:
        self._heard: dict[Excerpt, Heard] = {}
        self.unusable: list[Rejected] = []

    def __getitem__(self, excerpt: Excerpt) -> Heard | None:
        """Return what was heard; None where no speech was found."""
        return self._heard.get(excerpt)

    def listen(self, bundle: Bundle, excerpts: Iterable[Excerpt]) -> None:
        """Hear excerpts, each as a recording of its own, with a progress bar."""
        wanted = list(dict.fromkeys(excerpts))
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, transient=True) as progress:
            bar = progress.add_task("Hearing recordings", total=len(wanted))
            sums = sum_recordings(bundle, self._samples(wanted))
            waiting = iter(wanted)
            while batch := list(islice(waiting, _HEARD_AT_ONCE)):
                totals = list(islice(progress.track(sums, task_id=bar), len(batch)))
                answers = answer_sums(bundle, totals)
                for excerpt, total, outputs in zip(batch, totals, answers, strict=True):
                    if outputs is not None:
                        self._heard[excerpt] = Heard(outputs, total.speech)

    def _samples(self, excerpts: Iterable[Excerpt]) -> Iterator[NDArray[np.float32]]:
        for excerpt in excerpts:
            try:
                yield load_audio(excerpt.path, shortest=0.0)[: excerpt.samples]
            except UnreadableAudio as error:
                self.unusable.append(Rejected(str(excerpt.path), error.reason))
                yield np.zeros(STEP_SAMPLES, np.float32)  # no speech
