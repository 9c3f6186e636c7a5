"""Recipes and overrides."""

import pytest

from undertone_models.networks.streaming import StreamingNetwork
from undertone_models.training.settings import TrainSettings, load_settings
from undertone_service.protocol.errors import ErrorCode, UndertoneError


def refusal(recipe: str, *overrides: str) -> UndertoneError:
    with pytest.raises(UndertoneError) as refused:
        load_settings(recipe, overrides)
    assert refused.value.code is ErrorCode.BAD_REQUEST
    return refused.value


def test_the_streaming_recipe_keeps_within_the_budget_of_parameters() -> None:
    settings = load_settings("streaming")
    network = StreamingNetwork(settings.network)
    assert sum(weights.numel() for weights in network.parameters()) <= 3_000_000
    assert settings.sampling.corpus_weights["crema_d"] == 1.6
    assert settings.loss == TrainSettings().loss


def test_overrides_reach_every_group() -> None:
    settings = load_settings(
        "streaming",
        [
            "steps=12", "sampling.batch=32", "sampling.corpus_weights.own=2.5", "augment.noise_snr_db=[0, 9]",
            "network.dilations=[1, 2]", "loss.margin=0.3", "learning_rate=1e-4", 'unsure_gender=["phone"]',
        ],
    )  # fmt: skip
    assert settings.steps == 12
    assert settings.sampling.batch == 32
    assert settings.sampling.corpus_weights == {"crema_d": 1.6, "ravdess": 1.6, "tess": 0.4, "own": 2.5}
    assert settings.augment.noise_snr_db == (0.0, 9.0)
    assert settings.network.dilations == (1, 2)
    assert settings.loss.margin == 0.3
    assert settings.learning_rate == 1e-4
    assert settings.unsure_gender == ("phone",)


def test_the_last_override_wins() -> None:
    assert load_settings("streaming", ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("steps", "'steps'"),
        ("steps=many", "steps"),
        ("steps=1.5", "steps"),
        ("stesp=3", "stesp"),
        ("sampling.bacth=3", "sampling.bacth"),
        ("network.width.x=3", "network.width"),
        ("steps.x=3", "steps"),
        ("sampling=3", "sampling"),
        ("network.dilations=3", "network.dilations"),
        ("sampling.corpus_weights.own=heavy", "sampling.corpus_weights.own"),
    ],
)
def test_what_cannot_be_set_is_refused_by_name(override: str, named: str) -> None:
    assert named in refusal("streaming", override).problem


def test_an_unknown_recipe_is_answered_by_those_there_are() -> None:
    assert "streaming" in refusal("streamign").remedy
