"""Everything that a training run can be told, as data: a recipe's TOML file, then overrides."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ConfigDict, with_config

from undertone_models.networks.streaming import StreamingSettings
from undertone_models.recipe_files import read_recipe
from undertone_models.training.augment import AugmentSettings
from undertone_models.training.batches import SamplingSettings
from undertone_models.training.losses import LossSettings


@with_config(ConfigDict(extra="forbid"))  # of the groups below, too
@dataclass(frozen=True)
class TrainSettings:
    """A training run."""

    seed: int = 0
    steps: int = 4000
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    """Steps over which the learning rate rises; after it, it falls along a cosine."""
    margin_warm_up: int = 1500
    """Steps over which the speaker margin rises from 0."""
    gradient_norm: float = 2.0
    averaging: float = 0.999
    """Decay of the running average of the weights, which is what is evaluated and exported."""
    validate_every: int = 500
    validation_clips: int = 500
    checkpoint_every: int = 100
    workers: int = 1
    """Processes that make batches; 0: those that train."""
    processes: int = 1
    """Processes that train, a part of each batch on one core each; 1: all cores on the whole batch."""
    unsure_gender: tuple[str, ...] = ("wuw2_telephone",)
    """Corpora whose sex labels are too often wrong to learn from."""
    commercial: bool = False
    """Train on corpora and noises only that allow commercial use (``--commercial``)."""
    network: StreamingSettings = field(default_factory=StreamingSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    loss: LossSettings = field(default_factory=LossSettings)


def load_settings(recipe: str, overrides: Sequence[str] = ()) -> TrainSettings:
    """Read a recipe and apply overrides such as ``sampling.batch=32``.

    Raises:
        UndertoneError: ``bad_request`` for an unknown recipe, name or value.
    """
    return read_recipe(recipe, overrides, TrainSettings)
