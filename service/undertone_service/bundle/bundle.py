"""What both kinds of bundle have in common: a manifest, sums that answers are taken from, and how one is opened."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import ValidationError

from undertone_service.bundle.manifest import MANIFEST, Manifest, digest
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_M = TypeVar("_M", bound=Manifest)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Raw answers over one stretch of speech: probabilities f32[E] and f32[2], years, unit voiceprint f32[V].

    What a bundle lacks is an empty array, or not a number. ``age_band`` holds probabilities of the manifest's bands,
    from bundles that have no years.
    """

    emotion: NDArray[np.float32]
    gender: NDArray[np.float32]
    age: float
    voiceprint: NDArray[np.float32]
    age_band: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


class Bundle(ABC):
    """An opened bundle. Its methods are safe to call from several threads."""

    folder: Path
    manifest: Manifest
    fixed_window: int | None = None
    """Steps of 100 ms of every window, where the bundle allows no other."""

    @property
    @abstractmethod
    def statistics_size(self) -> int:
        """Floats of a contribution, and of a sum of them."""

    @abstractmethod
    def answer(self, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for summed contributions f64[B, D], each over some speech."""

    @abstractmethod
    def answerable(self, statistics: NDArray[np.float64]) -> bool:
        """Whether summed contributions f64[D] hold anything to answer from."""

    @abstractmethod
    def emotion_part(self) -> slice:
        """Where in the statistics lies what the emotion rests on."""


def read_manifest(folder: Path, kind: type[_M], graphs: Sequence[str]) -> _M:
    """Read a bundle's manifest and check that its graphs are those it speaks of.

    Raises:
        UndertoneError: ``unknown_bundle`` where the folder holds no sound bundle of this kind.
    """
    try:
        manifest = kind.model_validate_json((folder / MANIFEST).read_bytes())
        found = digest([folder / graph for graph in graphs])
    except (OSError, ValidationError) as error:
        raise unreadable(folder, error, graphs) from None
    if found != manifest.digest:
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"The graphs of bundle {manifest.name!r} are not those that its manifest names.",
            "Export the bundle again, or restore its files.",
        )
    return manifest


def unreadable(folder: Path, error: Exception, graphs: Sequence[str]) -> UndertoneError:
    """Return the refusal of a folder that holds no bundle."""
    return UndertoneError(
        ErrorCode.UNKNOWN_BUNDLE,
        f"The folder {folder.name!r} holds no readable bundle ({_reason(error)}).",
        f"A bundle holds {MANIFEST}, {' and '.join(graphs)}, as `undertone export` writes them.",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0]


def open_graph(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX graph on the GPU where there is one, else on so many threads of the CPU.

    Raises:
        UndertoneError: ``unknown_bundle`` where ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    if "CUDAExecutionProvider" in providers:
        onnxruntime.preload_dlls()  # CUDA and cuDNN of the extra `gpu`, which lie outside the linker's paths
    # The fused operator is several times slower on the CPU than the addition and the norm that it stands for.
    disabled = ["SkipLayerNormFusion"]
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=providers, disabled_optimizers=disabled
        )
    except Exception as error:  # ONNX Runtime's own kinds share no other parent
        reason = str(error).splitlines()[0].replace(str(path.parent), "").strip()
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"ONNX Runtime cannot load {path.name} of the bundle {path.parent.name!r} ({reason}).",
            "Export the bundle again, with an opset that this version of ONNX Runtime knows.",
        ) from None
