"""Run a streaming bundle: steps to statistics, summed statistics to answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import ValidationError

from undertone_service.bundle.manifest import MANIFEST, Manifest, digest
from undertone_service.protocol.errors import ErrorCode, UndertoneError

GRAPHS = ("encoder.onnx", "heads.onnx")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Raw answers over one stretch of speech: probabilities f32[E] and f32[2], years, unit voiceprint f32[V]."""

    emotion: NDArray[np.float32]
    gender: NDArray[np.float32]
    age: float
    voiceprint: NDArray[np.float32]


class Bundle:
    """An opened bundle. Its methods are safe to call from several threads."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._encoder = _session(folder / GRAPHS[0], threads)
        self._heads = _session(folder / GRAPHS[1], threads)

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


def read_manifest(folder: Path) -> Manifest:
    """Read a bundle's manifest and check that its graphs are those it speaks of.

    Raises:
        UndertoneError: ``unknown_bundle`` where the folder holds no sound bundle.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        found = digest([folder / graph for graph in GRAPHS])
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"The folder {folder.name!r} holds no readable bundle ({reason}).",
            f"A bundle holds {MANIFEST}, {' and '.join(GRAPHS)}, as `undertone export` writes them.",
        ) from None
    if found != manifest.digest:
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"The graphs of bundle {manifest.name!r} are not those that its manifest names.",
            "Export the bundle again, or restore its files.",
        )
    return manifest


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


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    # The fused operator is several times slower on the CPU than the addition and the norm that it stands for.
    return onnxruntime.InferenceSession(
        str(path), options, providers=providers, disabled_optimizers=["SkipLayerNormFusion"]
    )
