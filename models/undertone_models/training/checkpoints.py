"""What a training run leaves behind, read back."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from undertone_models.networks.streaming import StreamingNetwork, StreamingSettings
from undertone_models.training.bundle_weights import network_of_bundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

CHECKPOINT = "checkpoint.pt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what ``Training.save`` wrote.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint.
    """
    try:
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        saved["settings"]["network"]
    except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"{path} cannot be read as a checkpoint ({type(error).__name__}).",
            f"Give the {CHECKPOINT} of a run, as `undertone train` writes it.",
        ) from None  # fmt: skip
    return saved


def load_network(checkpoint: Path) -> StreamingNetwork:
    """Return the averaged network of a checkpoint, or that of a bundle's folder, ready to evaluate or export.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint, or the folder no bundle.
    """
    if checkpoint.is_dir():
        return network_of_bundle(checkpoint)
    saved = read_checkpoint(checkpoint)
    network = StreamingNetwork(StreamingSettings(**saved["settings"]["network"]))
    network.load_state_dict(saved["average"])
    return network.eval()
