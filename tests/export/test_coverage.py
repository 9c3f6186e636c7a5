"""What a bundle may answer, by the people that it was shown."""

from pathlib import Path

import pytest
import torch

from tests.tiny_bundle import tiny_network
from undertone_export.coverage import LEAST_SPEAKERS, Coverage, coverage, restrict
from undertone_models.data.clips import Clip
from undertone_service.protocol.labels import EMOTIONS

LEAST = {"emotion": 2, "gender": 3, "age": 3}


def clips(count: int, corpus: str = "crema_d", **labels: object) -> list[Clip]:
    return [Clip(Path(f"{i}"), corpus, f"{corpus}_{i // 2}", **labels) for i in range(2 * count)]  # type: ignore[arg-type]


def test_a_task_needs_enough_speakers_however_many_clips() -> None:
    assert coverage(clips(3, age=30.0, sex="male", emotion="anger"), (), LEAST).tasks == (
        "emotion", "gender", "age", "voiceprint"
    )  # fmt: skip
    few = coverage(clips(2, age=30.0, sex="male", emotion="anger"), (), LEAST)
    assert few.tasks == ("emotion", "voiceprint")
    assert few.left_out == {
        "gender": "only 2 training speakers with a label, fewer than 3",
        "age": "only 2 training speakers with a label, fewer than 3",
    }


def test_unsure_labels_and_nameless_speakers_count_for_nothing() -> None:
    unsure = clips(5, "wuw2_telephone", sex="male")
    assert "gender" in coverage(unsure, (), LEAST).tasks
    assert "gender" not in coverage(unsure, ("wuw2_telephone",), LEAST).tasks
    nameless = [Clip(Path(f"{i}"), "own", "", emotion="anger") for i in range(9)]
    assert "emotion" not in coverage(nameless, (), LEAST).tasks


def test_emotions_are_those_that_were_shown_in_their_order() -> None:
    shown = [*clips(2, emotion="fear"), *clips(1, "own", emotion="neutral")]
    assert coverage(shown, (), LEAST).emotions == ("neutral", "fear")
    assert coverage([], (), LEAST).emotions == EMOTIONS


def test_labels_of_people_need_more_speakers_than_labels_of_clips() -> None:
    assert LEAST_SPEAKERS["emotion"] < LEAST_SPEAKERS["gender"] == LEAST_SPEAKERS["age"]


@torch.no_grad()
def test_a_restricted_network_shares_the_probability_among_what_it_was_shown() -> None:
    plain, network = tiny_network(), tiny_network()
    covered = Coverage(("emotion", "gender", "age", "voiceprint"), ("calm", "fear", "boredom"), {})
    assert restrict(network, covered) is network
    assert network.settings.emotions == 3
    moments = torch.rand(5, plain.encoder.statistics_size)
    before, after = plain.heads(moments), network.heads(moments)
    wanted = before[0][:, [EMOTIONS.index(name) for name in covered.emotions]]
    torch.testing.assert_close(after[0], wanted / wanted.sum(dim=1, keepdim=True))
    for one, other in zip(before[1:], after[1:], strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
@pytest.mark.parametrize(("task", "place"), [("gender", 1), ("age", 2)])
def test_a_task_that_is_left_out_hears_nothing(task: str, place: int) -> None:
    network = restrict(tiny_network(), Coverage((), EMOTIONS, {task: "for a reason"}))
    moments = torch.rand(4, network.encoder.statistics_size)
    silenced = network.heads(moments)[place]
    torch.testing.assert_close(silenced, silenced[:1].expand_as(silenced))
    assert network.heads(moments)[0].std(dim=0).max() > 0
