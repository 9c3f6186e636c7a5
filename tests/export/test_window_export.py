"""Every published system on synthetic voices: an epoch, export, parity, windows served; and networks by sex."""

import asyncio
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.small_corpus import TINY, cache_in, valid_trials, write_clips
from tests.voices import voice
from undertone_export.window_export import check_window_parity, export_window
from undertone_export.window_graph import BySex, Served, write_window_graph
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.recipe_files import recipe_names
from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.training.corpus import gather
from undertone_models.training.loop import Training
from undertone_models.windows.assemble import make_training
from undertone_models.windows.clips import Labels
from undertone_models.windows.recipes import WindowRecipe, is_window_recipe, load_recipe
from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.bundle.library import open_bundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.engine import DirectRunner
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import EMOTIONS, GENDERS, Role, Task
from undertone_service.protocol.messages import Result

SMALL = {
    "cnn-blstm-attention": ["filters=[4, 4, 4]", "hidden=4", "attention=8", "attention_heads=2"],
    "embedding-linear": ["width=8"],
    "embedding-lstm": ["width=8", "lstm=4"],
    "ecapa-tdnn": ["channels=16", "pooled=16", "bottleneck=8", "voiceprint=8"],
    "xvector": ["channels=[8, 8, 8, 8, 16]", "voiceprint=8"],
    "persona-cnn": ["filters=[2, 2]", "dense=[8, 8, 4]"],
    "persona-fcn": ["dense=[8, 8, 4]"],
    "cnn1d-mfcc": ["filters=[4, 4]"],
    "bilstm-attention": ["hidden=4", "layers=1", "attention=4"],
    "cnn-transformer": ["filters=[4, 4]", "width=8", "attention_heads=2", "hidden=8", "layers=1"],
    "vggvox-mtl": ["channels=[4, 4, 4, 4, 4]", "fc6=8", "fc7=8"],
    "multifeature-cnn-lstm": ["filters=[4, 4]", "hidden=4", "dense=8"],
}
TASKS = {
    "cnn-blstm-attention": ("emotion", "gender", "age"),
    "embedding-linear": ("emotion", "gender", "age"),
    "embedding-lstm": ("emotion", "gender", "age"),
    "ecapa-tdnn": ("voiceprint",),
    "xvector": ("voiceprint",),
    "persona-cnn": ("emotion", "gender", "age"),
    "persona-fcn": ("emotion", "gender", "age"),
    "cnn1d-mfcc": ("emotion",),
    "bilstm-attention": ("emotion",),
    "cnn-transformer": ("emotion",),
    "vggvox-mtl": ("emotion", "voiceprint"),
    "multifeature-cnn-lstm": ("emotion", "gender"),
}
STANDS_ON = {
    "embedding-linear": "streaming",
    "embedding-lstm": "streaming",
    "persona-cnn": "xvector",
    "persona-fcn": "xvector",
}


def small(name: str) -> WindowRecipe:
    sizes = [f"settings.{size}" for size in ["window_samples=32000", *SMALL[name]]]
    return replace(load_recipe(name, ["epochs=1", "batch=8", *sizes]), corpora=())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return write_clips(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> Iterator[Path]:
    """Folder of runs, with a tiny streaming network and an x-vector one that others stand on."""
    folder = tmp_path_factory.mktemp("runs")
    with cache_in(folder / "cache"):
        Training(replace(TINY, steps=1), gather(clips, []), folder / "streaming").run()
        train("xvector", clips, folder)
        yield folder


def train(name: str, clips: list[Clip], runs: Path) -> Path:
    """Train a recipe for an epoch, once; return its checkpoint."""
    cache = AudioCache.build([clip.path for clip in clips], "recipes")
    encoder = runs / STANDS_ON[name] / CHECKPOINT if name in STANDS_ON else None
    make_training(
        [c for c in clips if c.split == "train"], [], small(name), encoder, cache, runs / name
    ).run()
    return runs / name / CHECKPOINT


def test_every_recipe_is_tried() -> None:
    assert {name for name in recipe_names() if is_window_recipe(name)} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_is_trained_exported_and_served(
    name: str, clips: list[Clip], runs: Path, tmp_path: Path
) -> None:
    checkpoint = train(name, clips, runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        manifest, difference = export_window(
            [checkpoint], tmp_path / name, clips, valid_trials(clips), command="test"
        )
    assert difference <= 1e-4
    assert manifest.tasks == TASKS[name]
    bundle = open_bundle(tmp_path / name)
    assert isinstance(bundle, WindowBundle)
    results = asyncio.run(hear(bundle))
    last = results[-1]
    assert (last.emotion is not None) == ("emotion" in TASKS[name])
    assert (last.gender is not None) == ("gender" in TASKS[name])
    assert (last.age is not None) == ("age" in TASKS[name])
    card = (tmp_path / name / "CARD.md").read_text()
    assert load_recipe(name).source in card
    assert "research only" in (tmp_path / name / "LICENSE").read_text()


async def hear(bundle: WindowBundle) -> list[Result]:
    assert bundle.fixed_window is not None
    settings = ChannelSettings(0, Role.UNKNOWN, 16000, bundle.fixed_window, 10, frozenset(Task))
    channel = Channel(settings, bundle, DirectRunner())
    messages = [*await channel.push(voice(4.0)), *await channel.end()]
    return [message for _, message in messages if isinstance(message, Result)]


class Fixed(nn.Module):
    """Answers what it is told, whatever it hears, shifted by the window's mean."""

    def __init__(self, window: int, **answers: list[float]) -> None:
        super().__init__()
        self.window_samples = window
        for name, values in answers.items():
            self.register_buffer(f"fixed_{name}", torch.tensor([values]))
        self.names = tuple(answers)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        shift = samples.mean(dim=1, keepdim=True)
        return {name: self.get_buffer(f"fixed_{name}") + shift for name in self.names}


def test_classes_of_sex_and_emotion_are_summed_into_both() -> None:
    pairs = ("female neutral", "female anger", "male neutral", "male anger")
    shares = [0.1, 0.2, 0.3, 0.4]
    served = Served(Fixed(1600, sex_emotion=np.log(shares).tolist()), Labels(sex_emotion=pairs))
    assert served.names == ("emotion", "gender")
    assert served.emotions == ("neutral", "anger")
    emotion, gender = served(torch.zeros(1, 1600))
    assert emotion[0].tolist() == pytest.approx([0.4, 0.6])
    assert gender[0].tolist() == pytest.approx([0.3, 0.7])


def test_networks_of_both_sexes_are_weighed_by_a_third(tmp_path: Path) -> None:
    two = Labels(emotion=EMOTIONS[:2])
    women = Served(Fixed(3200, emotion=[0.0, np.log(3.0)]), two)
    men = Served(Fixed(3200, emotion=[np.log(3.0), 0.0]), two)
    sex = Served(Fixed(1600, gender=[0.0, np.log(4.0)]), Labels(gender=GENDERS))
    both = BySex(women, men, sex)
    emotion, gender = both(torch.zeros(1, 3200))
    assert gender[0].tolist() == pytest.approx([0.2, 0.8])
    assert emotion[0].tolist() == pytest.approx([0.2 * 0.25 + 0.8 * 0.75, 0.2 * 0.75 + 0.8 * 0.25])
    for wrong in ((women, sex, sex), (women, men, women)):
        with pytest.raises(ValueError, match=r"networks|tells no gender"):
            BySex(*wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        write_window_graph(both, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").is_file()


def test_a_bundle_that_differs_from_its_network_is_refused(
    clips: list[Clip], runs: Path, tmp_path: Path
) -> None:
    checkpoint = train("cnn1d-mfcc", clips, runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        export_window([checkpoint], tmp_path / "one", clips, [], command="test")
    other = Served(Fixed(32000, emotion=[0.0, 1.0, 2.0]), Labels(emotion=("neutral", "sadness", "anger")))
    with pytest.raises(UndertoneError, match="differs from the network") as refusal:
        check_window_parity(other, WindowBundle(tmp_path / "one"), [voice(1.0)])
    assert refusal.value.code is ErrorCode.INTERNAL
