"""How right a window network is: answers to clips, and measures of each task."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from undertone_models.networks.published.fronted import Fronted
from undertone_models.training.pairs import pairwise_accuracy, pairwise_eer, pairwise_threshold
from undertone_models.windows.clips import UNKNOWN, Windows
from undertone_models.windows.losses import task_losses
from undertone_models.windows.recipes import Task, WindowRecipe

_BATCH = 32
_WORST_AGE = 30.0  # years of error that are worth nothing
VOICEPRINT = "voiceprint"


@torch.no_grad()
def answer_windows(
    network: nn.Module, windows: Windows, fronts: Tensor | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return the outputs over every clip, undisturbed, one beside the other; the network ends in evaluation mode.

    ``fronts`` is what ``keep_fronts`` kept of these clips, where it did.
    """
    network.eval()
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(windows.clips), _BATCH):
        indices = range(start, min(start + _BATCH, len(windows.clips)))
        if fronts is None:
            outputs = network(windows.draw(indices))
        else:
            assert isinstance(network, Fronted)
            outputs = network.answer(fronts[start : start + _BATCH])
        for name, output in outputs.items():
            parts.setdefault(name, []).append(output.numpy())
    return {name: np.concatenate(rows) for name, rows in parts.items()}


def measures(
    outputs: Mapping[str, NDArray[np.float32]], windows: Windows, recipe: WindowRecipe
) -> dict[str, float]:
    """Return for each task, as far as clips have a label of it, its loss and its errors.

    ``<task>`` is the share right, 0 to 1; ``age`` the mean absolute and ``age_rmse`` the root mean square error in
    years; ``eer`` that of all pairs of voiceprints.
    """
    tasks = [task for task in recipe.tasks if task != "speaker"]
    targets = windows.targets(range(len(windows.clips)), tasks)
    tensors = {name: torch.from_numpy(rows) for name, rows in outputs.items()}
    losses = task_losses(tensors, targets, recipe)
    found: dict[str, float] = {}
    for task, target in targets.items():
        truth = target.numpy()
        known = ~np.isnan(truth) if task == "age" else truth != UNKNOWN
        if not known.any():
            continue
        found[f"{task}_loss"] = float(losses[task])
        if task == "age":
            errors = outputs[task][known] - truth[known]
            found["age"] = float(np.abs(errors).mean())
            found["age_rmse"] = float(np.sqrt((errors**2).mean()))
        else:
            found[task] = float((outputs[task][known].argmax(axis=1) == truth[known]).mean())
    if VOICEPRINT in outputs:
        found["eer"] = pairwise_eer(*_voiceprints(outputs, windows))
    return found


def merit(found: Mapping[str, float], tasks: Sequence[Task]) -> float:
    """Return one number to choose the best epoch by, the more the better: the mean over what is learnt.

    Shares right count as they are, age as 1 less its root mean square error over 30 years, and where speakers alone
    are learnt, 1 less the equal error rate.
    """
    merits = [found[task] for task in tasks if task in found and task != "age"]
    if "age" in tasks and "age_rmse" in found:
        merits.append(1 - found["age_rmse"] / _WORST_AGE)
    if not merits:
        merits = [1 - found.get("eer", 1.0)]
    return float(np.mean(merits))


def pairs_right(
    outputs: Mapping[str, NDArray[np.float32]],
    windows: Windows,
    others: Mapping[str, NDArray[np.float32]],
    other_windows: Windows,
) -> float:
    """Return the share of pairs of clips told right, as of one speaker or two, by the best threshold of others."""
    threshold = pairwise_threshold(*_voiceprints(others, other_windows))
    return pairwise_accuracy(*_voiceprints(outputs, windows), threshold)


def _voiceprints(
    outputs: Mapping[str, NDArray[np.float32]], windows: Windows
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    voiceprints = outputs[VOICEPRINT]
    unit = voiceprints / np.maximum(np.linalg.norm(voiceprints, axis=1, keepdims=True), 1e-12)
    _, numbers = np.unique([clip.speaker for clip in windows.clips], return_inverse=True)
    return unit, numbers
