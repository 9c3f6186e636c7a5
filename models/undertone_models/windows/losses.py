"""What a window network learns by: one loss for each task, 0 where a batch knows no label of it."""

import torch
from torch import Tensor
from torch.nn import functional

from undertone_models.windows.clips import UNKNOWN
from undertone_models.windows.recipes import Task, WindowRecipe


def task_losses(
    outputs: dict[str, Tensor], targets: dict[Task, Tensor], recipe: WindowRecipe
) -> dict[Task, Tensor]:
    """Return the unweighted loss of each task: cross-entropy, or the mean squared error of the age in years."""
    return {task: _loss(task, outputs[task], target, recipe) for task, target in targets.items()}


def _loss(task: Task, output: Tensor, target: Tensor, recipe: WindowRecipe) -> Tensor:
    known = ~torch.isnan(target) if task == "age" else target != UNKNOWN
    if not known.any():
        return output.sum() * 0
    output, target = output[known], target[known]
    if task == "age":
        return functional.mse_loss(output, target)
    if task == "speaker" and recipe.margin:
        own = functional.one_hot(target, output.shape[1])
        output = recipe.scale * (output - recipe.margin * own)
    return functional.cross_entropy(output, target)
