"""Networks to ONNX graphs, with a pinned opset."""

from pathlib import Path

import onnx
import torch
from torch import nn

from undertone_models.networks.logmel import STEP
from undertone_models.networks.streaming import MASK_FRAMES, StreamingNetwork

OPSET = 20


def write_graphs(network: StreamingNetwork, folder: Path) -> None:
    """Write ``encoder.onnx`` and ``heads.onnx``, as DESIGN's streaming bundle has them; weights inside."""
    encoder, heads = network.encoder.eval(), network.heads.eval()
    batch = 2
    example = (
        torch.randn(batch, STEP) * 0.1,
        torch.ones(batch, MASK_FRAMES),
        torch.zeros(batch, encoder.state_size),
    )
    write_graph(
        encoder, example, folder / "encoder.onnx", ["samples", "speech", "state"], ["stats", "state_after"]
    )
    moments = torch.rand(batch, encoder.statistics_size)
    write_graph(
        heads, (moments,), folder / "heads.onnx", ["stats"], ["emotion", "gender", "age", "voiceprint"]
    )


def write_graph(
    module: nn.Module, example: tuple[torch.Tensor, ...], path: Path, inputs: list[str], outputs: list[str]
) -> None:
    """Write one module as a graph of any batch size, checked, without names of this machine's files."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.onnx.export(
        module,
        example,
        dynamo=True,
        opset_version=OPSET,
        input_names=inputs,
        output_names=outputs,
        dynamic_shapes=tuple({0: batch} for _ in example),
        # The optimiser drops the addition of constants as small as 1e-10; ONNX Runtime has one of its own.
        optimize=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model)
    # Names of the exporting machine's files and call stacks are nobody's business.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    del model.functions[:]
    onnx.save_model(model, str(path))
