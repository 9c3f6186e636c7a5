"""Which clips can be decoded: every one is read once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rich.progress import track

from undertone_models.data.audio import SAMPLE_RATE, UnreadableAudio, load_audio
from undertone_models.data.clips import Clip, Rejected


def readable_clips(clips: Sequence[Clip]) -> tuple[list[Clip], list[Rejected]]:
    """Read every clip on all cores; return those that can be used, with their true length, and the others."""
    readable: list[Clip] = []
    rejected: list[Rejected] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in track(pool.map(_read, clips), "Reading audio", total=len(clips), transient=True):
            if isinstance(result, Clip):
                readable.append(result)
            else:
                rejected.append(result)
    return readable, rejected


def _read(clip: Clip) -> Clip | Rejected:
    try:
        samples = load_audio(clip.path)
    except UnreadableAudio as error:
        return Rejected(str(clip.path), error.reason)
    return replace(clip, seconds=round(len(samples) / SAMPLE_RATE, 2))
