"""Run a streaming bundle: steps to statistics, summed statistics to answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.bundle import Bundle, Outputs, open_graph, read_manifest
from undertone_service.bundle.manifest import StreamingManifest

GRAPHS = ("encoder.onnx", "heads.onnx")


class StreamingBundle(Bundle):
    """An opened streaming bundle. Its methods are safe to call from several threads."""

    manifest: StreamingManifest

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder, StreamingManifest, GRAPHS)
        self._encoder = open_graph(folder / GRAPHS[0], threads)
        self._heads = open_graph(folder / GRAPHS[1], threads)

    @property
    def statistics_size(self) -> int:
        """Floats of a step's statistics."""
        return self.manifest.statistics_size

    def new_state(self) -> NDArray[np.float32]:
        """Return the state of a channel that has heard nothing, f32[S]."""
        return np.zeros(self.manifest.state_size, np.float32)

    def encode(
        self, samples: NDArray[np.float32], speech: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encode one step of B streams: f32[B, 1600], f32[B, 5], f32[B, S] to statistics f32[B, D] and state."""
        statistics, state = self._encoder.run(None, {"samples": samples, "speech": speech, "state": state})
        return statistics, state

    def answer(self, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for summed statistics f64[B, D], each over some speech."""
        stats = moments(sums, list(self.manifest.pools.values()), self.manifest.variance_floor)
        emotion, gender, age, voiceprint = self._heads.run(None, {"stats": stats})
        return [
            Outputs(e, g, float(a), v) for e, g, a, v in zip(emotion, gender, age, voiceprint, strict=True)
        ]

    def answerable(self, statistics: NDArray[np.float64]) -> bool:
        """Whether any speech was summed: its last place counts it."""
        return bool(statistics[-1] > 0)

    def emotion_part(self) -> slice:
        """Where the emotion's pool lies in the statistics."""
        start = 0
        for pool, size in self.manifest.pools.items():
            if pool == "emotion":
                return slice(start, start + 1 + 2 * size)
            start += 1 + 2 * size
        return slice(0, 0)


def moments(sums: NDArray[np.float64], pools: Sequence[int], variance_floor: float) -> NDArray[np.float32]:
    """Turn summed statistics f64[B, D] into moments f32[B, D] of the same layout: log sum w, mean, variance.

    In float64, because the sums of an hour are large and their differences small. The sums over w must exceed 0.
    """
    result = np.array(sums, dtype=np.float64)
    start = 0
    for size in pools:
        weight = np.maximum(sums[:, start : start + 1], 1e-6)
        mean = sums[:, start + 1 : start + 1 + size] / weight
        square = sums[:, start + 1 + size : start + 1 + 2 * size] / weight
        result[:, start : start + 1] = np.log(weight)
        result[:, start + 1 : start + 1 + size] = mean
        result[:, start + 1 + size : start + 1 + 2 * size] = np.maximum(square - mean * mean, variance_floor)
        start += 1 + 2 * size
    return result.astype(np.float32)
