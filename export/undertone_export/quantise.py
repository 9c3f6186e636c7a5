"""A bundle with its largest matrices in 8 bits, from a bundle in 32: smaller, and somewhat faster.

Static: each activation has one scale, measured beforehand on real steps, so that a stream's answers do not depend on
who shares its batch. Only the matrix products of the stem and the blocks are quantised (they hold most weights, and
took about a third of the time); features, normaliser, convolutions, statistics and heads stay as they are: 8-bit
convolutions were measured to be no faster, and doubled the error.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from rich.progress import track

from undertone_export.bundle import write_manifest
from undertone_export.recordings import sum_recordings
from undertone_service.bundle.manifest import MANIFEST, Manifest, digest
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_ENCODER, _HEADS = GRAPHS
_LAYERS = ("stem.", "blocks.")
_TOGETHER = 32  # recordings whose steps are held in memory at once


def quantise(bundle: StreamingBundle, folder: Path, recordings: Sequence[NDArray[np.float32]]) -> Manifest:
    """Write a bundle like ``bundle``, its encoder in 8 bits; the folder's name becomes the bundle's.

    Calibration, thresholds and licence are the old bundle's; only the graphs' digest is another, and voiceprints of
    the one do not compare with those of the other.

    Args:
        bundle: the bundle to quantise.
        folder: where the new bundle is written; left as it was where that fails.
        recordings: f32[n] each, at 16 kHz, whose steps the activation scales are measured on.

    Raises:
        UndertoneError: ``bad_request`` where the bundle is quantised already or the recordings hold no speech.
    """
    with tempfile.TemporaryDirectory() as temporary:
        partial = Path(temporary)
        encoder = _prepared(onnx.load(bundle.folder / _ENCODER))
        products = _products(encoder)
        _quantise_graph(encoder, products, partial / _ENCODER, _Steps(bundle, recordings))
        shutil.copy(bundle.folder / _HEADS, partial / _HEADS)
        manifest = bundle.manifest.model_copy(
            update={
                "name": folder.name,
                "digest": digest([partial / graph for graph in GRAPHS]),
                "training": bundle.manifest.training
                | {"quantised": {"from": bundle.manifest.digest, "recordings": len(recordings)}},
            }
        )
        write_manifest(manifest, partial)
        folder.mkdir(parents=True, exist_ok=True)
        for file in (*(partial / name for name in (*GRAPHS, MANIFEST)), bundle.folder / "LICENSE"):
            if file.is_file():
                shutil.copy(file, folder / file.name)
    return manifest


class _Overheard(StreamingBundle):
    """A bundle that keeps what its encoder is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[dict[str, NDArray[np.float32]]] = []

    def encode(
        self, samples: NDArray[np.float32], speech: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.steps.append({"samples": samples, "speech": speech, "state": state})
        return super().encode(samples, speech, state)


class _Steps(CalibrationDataReader):  # type: ignore[misc]
    """The encoder's inputs while recordings run through the serving code, states and all."""

    def __init__(self, bundle: StreamingBundle, recordings: Sequence[NDArray[np.float32]]) -> None:
        self._steps = _overhear(_Overheard(bundle.folder), recordings)
        self._first = next(self._steps, None)
        if self._first is None:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST, "No speech is found in the recordings to measure scales on.",
                "Give data whose split `valid` holds speech.",
            )  # fmt: skip

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch of steps, None after the last."""
        first, self._first = self._first, None
        return first or next(self._steps, None)


def _overhear(
    bundle: _Overheard, recordings: Sequence[NDArray[np.float32]]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    for start in track(range(0, len(recordings), _TOGETHER), "Measuring scales", transient=True):
        for _ in sum_recordings(bundle, recordings[start : start + _TOGETHER]):
            pass
        yield from bundle.steps
        bundle.steps.clear()


def _prepared(model: Any) -> Any:
    """Return the graph with its transposed weights stored as such: the quantiser looks for plain weights."""
    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in weights]:
        weight = weights[node.input[0]]
        (order,) = (list(attribute.ints) for attribute in node.attribute if attribute.name == "perm")
        turned = np.ascontiguousarray(numpy_helper.to_array(weight).transpose(order))
        weight.CopyFrom(numpy_helper.from_array(turned, weight.name))
        _rename_input(graph.node, node.output[0], weight.name)
        graph.node.remove(node)
        # Only these shapes have changed; the others must stay: inferred anew, those of the split state are wrong.
        for value in [value for value in graph.value_info if value.name in (weight.name, node.output[0])]:
            graph.value_info.remove(value)
    return model


def _rename_input(nodes: Iterable[Any], old: str, new: str) -> None:
    for node in nodes:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def _products(model: Any) -> list[str]:
    """Return the names of the matrix products to quantise."""
    plain = {weight.name for weight in model.graph.initializer if weight.name.startswith(_LAYERS)}
    nodes = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in plain]
    if not nodes:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, "The bundle's encoder has no matrix products in 32 bits.",
            "Quantise a bundle that `undertone export` wrote.",
        )  # fmt: skip
    return nodes


def _quantise_graph(model: Any, products: list[str], path: Path, steps: _Steps) -> None:
    # It would recommend to optimise the graph first: what that is good for here, the transposes, is done.
    entry = model.metadata_props.add()
    entry.key, entry.value = "onnx.quant.pre_process", "onnxruntime.quant"
    quantize_static(
        model,
        str(path),
        steps,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        # Weights of 7 bits: without VNNI, products of 8 by 8 bits would saturate, and answers depend on the machine.
        reduce_range=True,
        nodes_to_quantize=products,
        # Sums go on in 32 bits; rounding them as well was measured to double the error and gain no time.
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    written = onnx.load(path)
    del written.metadata_props[:]
    onnx.checker.check_model(written)
    onnx.save_model(written, str(path))
