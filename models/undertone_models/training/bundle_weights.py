"""A streaming bundle's weights, read back into the network: what stands on a trained encoder needs no checkpoint."""

import json
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import nn

from undertone_models.networks.streaming import StreamingNetwork, StreamingSettings
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_FILES = {"encoder": "encoder.onnx", "heads": "heads.onnx"}


def network_of_bundle(folder: Path) -> StreamingNetwork:
    """Return the network that a streaming bundle of 32-bit floats was exported from, ready to evaluate.

    The exporter keeps the names of parameters, and the manifest the sizes of the network.

    Raises:
        UndertoneError: ``bad_request`` where the folder holds no such bundle.
    """
    try:
        settings = json.loads((folder / "manifest.json").read_bytes())["training"]["network"]
        network = StreamingNetwork(StreamingSettings(**settings))
        for part, file in _FILES.items():
            _load(getattr(network, part), onnx.load(folder / file))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, DecodeError) as error:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{folder} holds no streaming bundle whose network can be built again ({type(error).__name__}).",
            "Give a streaming bundle of 32-bit floats, as `undertone export` writes it.",
        ) from None
    return network.eval()


def _load(module: nn.Module, model: Any) -> None:
    tensors = {
        one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in model.graph.initializer
    }
    module.load_state_dict({name: tensors[name] for name in module.state_dict()})
