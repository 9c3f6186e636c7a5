"""A run of a window recipe, put together from its parts."""

from collections.abc import Sequence
from pathlib import Path

import torch

from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.windows.build import build, load_stand
from undertone_models.windows.checkpoints import begin_with
from undertone_models.windows.clips import Windows, find_labels
from undertone_models.windows.fronts import Known
from undertone_models.windows.recipes import WindowRecipe
from undertone_models.windows.training import Trainee, WindowTraining


def make_training(
    training: Sequence[Clip],
    validation: Sequence[Clip],
    recipe: WindowRecipe,
    encoder: Path | None,
    cache: AudioCache,
    folder: Path,
    start: Path | None = None,
    known: Known | None = None,
) -> WindowTraining:
    """Return a run on clips, and others to choose by, ready to begin or to resume.

    ``start`` is the checkpoint of another run of the same network, whose weights this one begins with; ``known`` what
    other runs kept of the same front.
    """
    train = readable(training, cache)
    labels = find_labels(train, list(recipe.tasks), recipe.merge)
    train = [clip for clip in train if any(labels.name(task, clip) is not None for task in recipe.tasks)]
    torch.manual_seed(recipe.seed)
    stand, described = load_stand(recipe.network, encoder)
    network = build(recipe.network, recipe.settings, labels.classes(), stand)
    if start:
        begin_with(network, recipe, start)
    length: int = network.window_samples  # type: ignore[assignment]

    windows = Windows(train, cache, labels, length, recipe.drop_below)
    valid = windows.of(readable(validation, cache))
    return WindowTraining(Trainee(network, recipe, labels, described), windows, valid, folder, known)


def readable(clips: Sequence[Clip], cache: AudioCache) -> list[Clip]:
    """Return the clips that could be decoded."""
    return [clip for clip in clips if clip.path in cache]
