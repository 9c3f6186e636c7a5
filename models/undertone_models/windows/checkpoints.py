"""What a run of a window recipe leaves behind, written and read back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.windows.build import build, rebuild_stand
from undertone_models.windows.clips import Labels
from undertone_models.windows.recipes import WindowRecipe
from undertone_service.protocol.errors import ErrorCode, UndertoneError


def describe(recipe: WindowRecipe, labels: Labels, stand: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint says of its network, in plain values."""
    return {"recipe": asdict(recipe), "labels": asdict(labels), "stand": dict(stand)}


def read_window_checkpoint(path: Path) -> dict[str, Any]:
    """Return what ``WindowTraining`` wrote.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint of a window recipe.
    """
    try:
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        saved["recipe"], saved["labels"], saved["best"]
    except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} cannot be read as a checkpoint of a window recipe ({type(error).__name__}).",
            f"Give the {CHECKPOINT} of a run, as `undertone train RECIPE` writes it.",
        ) from None
    return saved


def is_window_checkpoint(path: Path) -> bool:
    """Whether a file is the checkpoint of a window recipe, and not of a streaming one."""
    try:
        return "recipe" in torch.load(path, weights_only=True, mmap=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, TypeError):
        return False


def saved_recipe(saved: Mapping[str, Any]) -> WindowRecipe:
    """Return the recipe of a checkpoint."""
    return TypeAdapter(WindowRecipe).validate_python(saved["recipe"])


def saved_labels(saved: Mapping[str, Any]) -> Labels:
    """Return the labels of a checkpoint."""
    return TypeAdapter(Labels).validate_python(saved["labels"])


def load_window_network(path: Path) -> tuple[nn.Module, WindowRecipe]:
    """Return the best network of a run, ready to evaluate or export, and its recipe.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint of a window recipe.
    """
    saved = read_window_checkpoint(path)
    recipe, labels = saved_recipe(saved), saved_labels(saved)
    network = build(
        recipe.network, recipe.settings, labels.classes(), rebuild_stand(recipe.network, saved["stand"])
    )
    network.load_state_dict(saved["best"])
    return network.eval(), recipe


def begin_with(network: nn.Module, recipe: WindowRecipe, path: Path) -> None:
    """Give a network the best weights of another run; outputs of other classes begin afresh.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint, or one of another network.
    """
    saved = read_window_checkpoint(path)
    other = saved_recipe(saved)
    if (other.network, dict(other.settings)) != (recipe.network, dict(recipe.settings)):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} is a run of {other.network!r} with settings {dict(other.settings)}.",
            f"Give one of {recipe.network!r} with settings {dict(recipe.settings)}.",
        )
    own = network.state_dict()
    fitting = {name: value for name, value in saved["best"].items() if value.shape == own[name].shape}
    network.load_state_dict(own | fitting)
