"""The throw-away voice that streams claim, so that verification is part of the load."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from undertone_client import blocking
from undertone_service.dsp import SAMPLE_RATE
from undertone_service.dsp.resample import resample
from undertone_service.protocol.errors import UndertoneError

_SECONDS = 12.0
_NAME = "undertone bench"
_CONSENT = "whoever runs undertone bench, for a recording of their own choice; deleted when it ends"


@dataclass(frozen=True)
class Claim:
    """Id of the speaker to claim, None where the server enrols none, and then why."""

    speaker: str | None
    problem: str = ""


@contextlib.contextmanager
def enrolled_voice(
    url: str, speech: NDArray[np.float32], sample_rate: int, bundle: str | None
) -> Iterator[Claim]:
    """Enrol the beginning of speech f32[n] at 16 kHz, at the streams' own rate; delete it at the end."""
    with blocking.Client(url) as client:
        speaker = None
        try:
            speaker = client.create_speaker(_NAME, _CONSENT).id
            client.enroll(speaker, _wav(speech, sample_rate), bundle=bundle)
            claim = Claim(speaker)
        except UndertoneError as refused:
            claim = Claim(None, refused.problem)
        try:
            yield claim
        finally:
            if speaker is not None:
                client.delete_speaker(speaker)


def _wav(speech: NDArray[np.float32], sample_rate: int) -> bytes:
    file = io.BytesIO()
    samples = resample(speech[: round(_SECONDS * SAMPLE_RATE)], SAMPLE_RATE, sample_rate)
    soundfile.write(file, samples, sample_rate, format="WAV")
    return file.getvalue()
