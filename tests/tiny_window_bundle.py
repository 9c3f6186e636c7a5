"""A small window bundle, node by node: energies of its parts through fixed matrices. Its answers mean nothing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from undertone_service.bundle.manifest import MANIFEST, Licence, WindowManifest, digest
from undertone_service.bundle.window import GRAPH
from undertone_service.protocol.labels import AGE_BANDS, EMOTIONS

NAME = "tiny-window"
SECONDS = 2.0
_PART = 800


def tiny_window_bundle(
    folder: Path,
    *,
    name: str = NAME,
    tasks: Sequence[str] = ("emotion", "gender", "age", "voiceprint"),
    seconds: float = SECONDS,
    bands: bool = False,
    voiceprint: int = 16,
) -> Path:
    """Write the bundle into ``folder / name`` and return that; ``bands``: its age is a band, without years."""
    samples = round(seconds * 16000)
    to = folder / name
    to.mkdir(parents=True)
    age = {"age_band": len(AGE_BANDS)} if bands else {"age": 1}
    sizes = {"emotion": {"emotion": len(EMOTIONS)}, "gender": {"gender": 2}, "age": age}
    sizes["voiceprint"] = {"voiceprint": voiceprint}
    wanted = {output: size for task in tasks for output, size in sizes[task].items()}
    onnx.save_model(_graph(samples, wanted), str(to / GRAPH))
    manifest = WindowManifest(
        name=name, window_samples=samples, age_years=not bands, voiceprint_size=voiceprint, tasks=tuple(tasks),
        opset=20, digest=digest([to / GRAPH]),
        licence=Licence(name="none", commercial_use=False, notice="A bundle of fixed numbers, for tests only."),
    )  # fmt: skip
    (to / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    return to


def _graph(samples: int, outputs: dict[str, int]) -> onnx.ModelProto:
    parts = samples // _PART
    random = np.random.default_rng(3)
    constants = [
        numpy_helper.from_array(np.array([0, parts, _PART], np.int64), "shape"),
        numpy_helper.from_array(np.array([2], np.int64), "axes"),
        numpy_helper.from_array(np.array([40], np.float32), "forty"),
        numpy_helper.from_array(np.array([0], np.int64), "batch"),
    ]
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["parts"]),
        helper.make_node("ReduceL2", ["parts", "axes"], ["energies"], keepdims=0),
    ]
    values = []
    for name, size in outputs.items():
        matrix = random.standard_normal((parts, size)).astype(np.float32)
        constants.append(numpy_helper.from_array(matrix, f"{name}_matrix"))
        nodes.append(helper.make_node("MatMul", ["energies", f"{name}_matrix"], [f"{name}_raw"]))
        if name == "age":
            constants.append(numpy_helper.from_array(np.array([-1], np.int64), "flat"))
            nodes.append(helper.make_node("Reshape", ["age_raw", "flat"], ["age_flat"]))
            nodes.append(helper.make_node("Add", ["age_flat", "forty"], ["age"]))
        elif name == "voiceprint":
            nodes.append(helper.make_node("LpNormalization", ["voiceprint_raw"], ["voiceprint"], axis=1, p=2))
        else:
            nodes.append(helper.make_node("Softmax", [f"{name}_raw"], [name], axis=1))
        shape = ["batch_size"] if name == "age" else ["batch_size", size]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    given = helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch_size", samples])
    graph = helper.make_graph(nodes, "tiny", [given], values, [c for c in constants if c.name != "batch"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return model
