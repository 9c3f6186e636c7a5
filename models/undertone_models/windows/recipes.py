"""A published system as data: which network, which tasks, how it is trained. A recipe's TOML file, then overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ConfigDict, with_config

from undertone_models.recipe_files import read_recipe, recipe_values
from undertone_service.protocol.errors import ErrorCode, UndertoneError

Task = Literal["emotion", "gender", "age", "age_band", "sex_emotion", "speaker"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class WindowAugment:
    """What is done to training clips; every draw of a clip is disturbed anew."""

    noisy_copies: int = 0
    """Draws of each clip in an epoch, beside the clean one, that have white noise added."""
    noise_snr_db: tuple[float, float] = (15.0, 30.0)
    speed: float = 0.0
    """Played faster or slower by up to this part, pitch and all."""
    value: tuple[float, float] = (1.0, 1.0)
    """Range of the factor that samples are multiplied by."""
    masked: float = 0.0
    """Largest part of the frames, and of the bands, of a front that is hidden, drawn for each batch anew."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class WindowRecipe:
    """One published system, or one row of its table."""

    network: str
    """A name of ``build.NETWORKS``."""
    source: str
    """Where it was published, and what of that is kept or changed."""
    tasks: Mapping[Task, float]
    """What is learnt, with the weight of its loss."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the network that differ from its published ones."""
    merge: Mapping[str, str] = field(default_factory=dict)
    """Emotions that count as another."""
    corpora: tuple[str, ...] = ()
    """The only corpora that are trained on; none: all that are given."""
    epochs: int = 60
    batch: int = 64
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "steps", "cosine"] = "cosine"
    step_epochs: int = 8
    """Epochs after which ``steps`` takes the learning rate to a tenth."""
    patience: int = 0
    """Epochs without a gain on the clips to choose by after which training ends; 0: never."""
    margin: float = 0.0
    """Taken off the cosine with the true speaker (additive margin, Wang et al. 2018); 0: plain logits."""
    scale: float = 30.0
    """What cosines are multiplied by, with a margin."""
    draws: Literal["anew", "once"] = "anew"
    """Whether clips are cut and disturbed in every epoch, or once, and what the network's front makes of them kept.

    Once, only copies are cut anywhere: a clip itself stays as it is, its first part where it is longer.
    """
    crop_seconds: float | None = None
    """What longer clips are cut to, anywhere, while training; without it, the network's window."""
    drop_below: float = 0.0
    """Envelope, as part of the clip's largest, under which 50 ms of it are dropped before anything else."""
    seed: int = 0
    augment: WindowAugment = field(default_factory=WindowAugment)


def load_recipe(name: str, overrides: Sequence[str] = ()) -> WindowRecipe:
    """Read a recipe and apply overrides such as ``settings.features=mel``; a task that weighs 0 is left out.

    Raises:
        UndertoneError: ``bad_request`` for an unknown recipe, name or value, or values that exclude each other.
    """
    recipe = read_recipe(name, overrides, WindowRecipe)
    _check(recipe)
    return replace(recipe, tasks={task: weight for task, weight in recipe.tasks.items() if weight})


def _check(recipe: WindowRecipe) -> None:
    """Refuse what would be passed over in silence."""
    if recipe.draws == "once" and recipe.crop_seconds:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            "crop_seconds does nothing without draws=anew.",
            "Give draws=anew, or leave crop_seconds out.",
        )


def is_window_recipe(name: str) -> bool:
    """Whether a recipe is one of these, and not of the streaming network.

    Raises:
        UndertoneError: ``bad_request`` for an unknown recipe.
    """
    return isinstance(recipe_values(name).get("network"), str)
