"""Let a bundle hear recordings: each once, however many clips and trials ask for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from undertone_export.evaluation.conditions import Conditions, Excerpt
from undertone_export.passages import listen
from undertone_models.data.audio import UnreadableAudio
from undertone_models.data.clips import Rejected
from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.speech import active_steps

FIRST_SECONDS = (1, 2, 3, 5)
"""Net seconds of speech after which answers are kept on the way."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a bundle makes of an excerpt, over ``speech`` net seconds (above 0).

    ``first`` holds what it made of the first net seconds, where there are so many; ``snr_db`` is the service's
    estimate, None while it knows no noise.
    """

    outputs: Outputs
    speech: float
    first: Mapping[int, Outputs] = field(default_factory=dict)
    snr_db: float | None = None


class Hearing:
    """All that a bundle heard through some conditions. ``unusable`` lists the recordings that hold no sound."""

    def __init__(self, conditions: Conditions | None = None) -> None:
        self._conditions = conditions or Conditions()
        self._heard: dict[Excerpt, Heard] = {}
        self._detected: dict[Excerpt, float] = {}
        self.unusable: list[Rejected] = []

    def __getitem__(self, excerpt: Excerpt) -> Heard | None:
        """Return what was heard; None where no speech was found."""
        return self._heard.get(self._conditions.distinct(excerpt))

    def detected(self, excerpt: Excerpt) -> float:
        """Return the net seconds that VAD and gate called speech, whether the encoder agreed or not."""
        return self._detected.get(self._conditions.distinct(excerpt), 0.0)

    def listen(
        self, bundle: Bundle, excerpts: Iterable[Excerpt], first: Sequence[int] = FIRST_SECONDS
    ) -> None:
        """Hear excerpts, each as a recording of its own; keep what is known after the ``first`` net seconds, too."""
        wanted = list(dict.fromkeys(map(self._conditions.distinct, excerpts)))
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, transient=True) as progress:
            passages = listen(bundle, self._samples(wanted), first)
            tracked = progress.track(passages, total=len(wanted), description="Hearing recordings")
            for excerpt, heard in zip(wanted, tracked, strict=True):
                if heard:
                    early = {int(one.length): one.outputs for one in heard if one.length is not None}
                    whole = heard[-1]
                    self._heard[excerpt] = Heard(whole.outputs, whole.speech, early, whole.snr_db)

    def _samples(self, excerpts: Iterable[Excerpt]) -> Iterator[NDArray[np.float32]]:
        for excerpt in excerpts:
            try:
                samples = self._conditions.hear(excerpt)
            except UnreadableAudio as error:
                self.unusable.append(Rejected(str(excerpt.path), error.reason))
                samples = np.zeros(STEP_SAMPLES, np.float32)  # no speech
            frames = sum(float(step.mask.sum()) for step in active_steps(samples))
            self._detected[excerpt] = frames * FRAME_SAMPLES / SAMPLE_RATE
            yield samples
