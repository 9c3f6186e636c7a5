"""Samples of recordings: one file decoded, or many kept decoded in a cache.

``load_audio`` reads any file that libsndfile knows, or says why it cannot be used. ``AudioCache`` keeps the
samples of many clips in one flat file, so that training reads memory and not Opus. It is a folder of two
files: ``DIGEST.pcm`` (int16, clip after clip) and ``index.json``, which names it. The index is put in place
last and in one step, so a build that dies leaves the former cache or none, never half a one.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from rich.progress import Progress

from undertone_models.data.clips import Rejected

SAMPLE_RATE = 16_000
SILENT_PEAK = 1e-4
SHORTEST_SECONDS = 0.1
FULL_SCALE = 32_768
INDEX = "index.json"
DEAD_AFTER_SECONDS = 600.0
# So many clips are decoded ahead of the writer at most: about 150 MB of speech.
DECODED_AHEAD = 1024


class UnreadableAudio(ValueError):  # noqa: N818 - reads as what it is: a kind of audio
    """A recording that cannot be used; ``reason`` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def load_audio(
    path: Path, sample_rate: int = SAMPLE_RATE, shortest: float = SHORTEST_SECONDS
) -> NDArray[np.float32]:
    """Read a recording as float32 [samples] at ``sample_rate`` (Hz), the mean of its channels.

    Raises ``UnreadableAudio`` for what is no audio, empty, shorter than ``shortest`` seconds, silent or not
    finite.
    """
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise UnreadableAudio(path, f"unreadable: {error}") from error
    if len(channels) == 0:
        raise UnreadableAudio(path, "empty")
    if len(channels) < shortest * rate:
        raise UnreadableAudio(path, f"shorter than {shortest} s")
    if not np.isfinite(channels).all():
        raise UnreadableAudio(path, "not finite")
    samples = channels.mean(axis=1)
    if np.abs(samples).max() < SILENT_PEAK:
        raise UnreadableAudio(path, "silent")
    if rate != sample_rate:
        samples = soxr.resample(samples, rate, sample_rate)
    return np.ascontiguousarray(samples, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it was when decoded: a changed one counts as another."""

    path: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a clip's samples lie; ``reason`` says why it has none, else it is empty."""

    start: int
    length: int
    reason: str = ""


class AudioCache:
    """Decoded clips by path: ``cache[path]`` is float32 [samples] at 16 kHz.

    ``rejected`` lists the clips that could not be decoded; they are not in the cache.
    """

    def __init__(self, pcm: NDArray[np.int16], spans: Mapping[str, _Span]) -> None:
        self._pcm = pcm
        self._spans = {path: span for path, span in spans.items() if not span.reason}
        self.rejected = [Rejected(path, span.reason) for path, span in spans.items() if span.reason]

    @classmethod
    def build(cls, paths: Iterable[Path], name: str) -> Self:
        """Return the cache ``name`` of these clips, decoding only those that are new or have changed.

        It lies in ``$UNDERTONE_CACHE``, by default ``~/.cache/undertone``.
        """
        folder = Path(os.environ.get("UNDERTONE_CACHE") or Path.home() / ".cache" / "undertone") / name
        folder.mkdir(parents=True, exist_ok=True)
        sources = [_source(path) for path in dict.fromkeys(map(os.path.abspath, paths))]
        pcm, known = _read(folder)
        if not known.keys() >= set(sources):
            pcm, known = _write(folder, sources, pcm, known)
        return cls(pcm, {source.path: known[source] for source in sources})

    def __contains__(self, path: Path) -> bool:
        return os.path.abspath(path) in self._spans

    def __getitem__(self, path: Path) -> NDArray[np.float32]:
        """Return a clip's samples; raises ``KeyError`` for a clip that was rejected or never asked for."""
        span = self._spans[os.path.abspath(path)]
        return self._pcm[span.start : span.start + span.length].astype(np.float32) / np.float32(FULL_SCALE)


def _source(path: str) -> _Source:
    try:
        status = os.stat(path)
    except OSError:
        return _Source(path, 0, 0)  # decoding it says what is wrong
    return _Source(path, status.st_size, status.st_mtime_ns)


def _read(folder: Path) -> tuple[NDArray[np.int16], dict[_Source, _Span]]:
    """Open a cache; what is missing, foreign or cut short counts as empty."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        pcm = _open(folder / index["pcm"])
        known = {_Source(*source): _Span(*span) for source, span in index["clips"]}
    except (OSError, ValueError, KeyError, TypeError):
        return np.zeros(0, np.int16), {}
    if len(pcm) != index["samples"]:
        return np.zeros(0, np.int16), {}
    return pcm, known


def _open(path: Path) -> NDArray[np.int16]:
    # An empty file cannot be mapped.
    return np.memmap(path, np.int16, mode="r") if path.stat().st_size else np.zeros(0, np.int16)


def _write(
    folder: Path, sources: list[_Source], pcm: NDArray[np.int16], known: dict[_Source, _Span]
) -> tuple[NDArray[np.int16], dict[_Source, _Span]]:
    """Write a cache of ``sources``, copying what is known; return it opened."""

    def samples_of(source: _Source) -> tuple[NDArray[np.int16], str]:
        span = known.get(source)
        if span is None:
            return _decode(source)
        return pcm[span.start : span.start + span.length], span.reason

    spans: dict[_Source, _Span] = {}
    end = 0
    partial = folder / f"{os.getpid()}.partial"
    with partial.open("wb") as file:
        for source, (samples, reason) in zip(sources, _in_parallel(samples_of, sources), strict=True):
            spans[source] = _Span(end, len(samples), reason)
            file.write(samples.tobytes())
            end += len(samples)
        file.flush()
        os.fsync(file.fileno())
    digest = hashlib.sha256(repr(sources).encode()).hexdigest()[:16]
    final = partial.replace(folder / f"{digest}.pcm")
    _write_index(folder, final.name, end, spans)
    _remove_stale(folder, final)
    return _open(final), spans


def _decode(source: _Source) -> tuple[NDArray[np.int16], str]:
    """Return a file's samples, or none and the reason."""
    try:
        samples = load_audio(Path(source.path))
    except UnreadableAudio as error:
        return np.zeros(0, np.int16), error.reason
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16), ""


def _in_parallel(
    samples_of: Callable[[_Source], tuple[NDArray[np.int16], str]], sources: list[_Source]
) -> Iterator[tuple[NDArray[np.int16], str]]:
    """Call ``samples_of`` on all cores (decoding leaves the interpreter lock), in order, with a bar."""
    with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(transient=True) as progress:
        bar = progress.add_task("Decoding audio", total=len(sources))
        for first in range(0, len(sources), DECODED_AHEAD):
            for decoded in pool.map(samples_of, sources[first : first + DECODED_AHEAD]):
                yield decoded
                progress.advance(bar)


def _write_index(folder: Path, pcm_name: str, samples: int, spans: dict[_Source, _Span]) -> None:
    clips = [[astuple(source), astuple(span)] for source, span in spans.items()]
    partial = folder / f"{os.getpid()}.partial"
    partial.write_text(json.dumps({"pcm": pcm_name, "samples": samples, "clips": clips}), encoding="utf-8")
    partial.replace(folder / INDEX)


def _remove_stale(folder: Path, current: Path) -> None:
    """Remove former samples, and what builds that died have left; a living build writes all the time."""
    for path in [*folder.glob("*.pcm"), *folder.glob("*.partial")]:
        dead = path.suffix == ".pcm" or time.time() - path.stat().st_mtime > DEAD_AFTER_SECONDS
        if path != current and dead:
            path.unlink(missing_ok=True)
