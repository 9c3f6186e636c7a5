"""What a trained network answers to the clips held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.networks.recordings import recording_logits
from undertone_models.networks.streaming import StreamingNetwork
from undertone_service.protocol.labels import EMOTIONS


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one clip: who speaks, the emotion, and what was answered; None where no speech was found."""

    speaker: str
    emotion: str
    answer: str | None

    @property
    def right(self) -> bool:
        """Whether the answer is the emotion."""
        return self.answer == self.emotion


def answer_clips(
    network: StreamingNetwork, clips: Sequence[Clip], cache: AudioCache, classes: Sequence[str]
) -> list[Answer]:
    """Answer clips with an emotion, with a progress bar. A clip that cannot be read holds no speech."""
    return [
        Answer(
            clip.speaker,
            str(clip.emotion),
            most_probable(network, cache[clip.path], classes) if clip.path in cache else None,
        )
        for clip in track(clips, "Answering", transient=True)
    ]


def most_probable(
    network: StreamingNetwork, samples: NDArray[np.float32], classes: Sequence[str]
) -> str | None:
    """Return the most probable of these emotions over a whole recording f32[n]; None where no speech is found."""
    outputs = recording_logits(network, samples)
    if outputs is None:
        return None
    logits = outputs["emotion"][0, [EMOTIONS.index(emotion) for emotion in classes]]
    return classes[int(logits.argmax())]
