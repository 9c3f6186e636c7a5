"""What networks' fronts make of clips: kept once, hidden in spans; and pairs of voiceprints told apart."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.small_corpus import cache_in
from tests.voices import SAMPLE_RATE, voice
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.networks.published.fronted import Fronted
from undertone_models.networks.published.heads import Classes
from undertone_models.networks.published.vggvox import Vggvox, VggvoxSettings
from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.training.pairs import pairwise_accuracy, pairwise_eer, pairwise_threshold
from undertone_models.windows.assemble import make_training
from undertone_models.windows.fronts import Known, keep_disturbed, keep_fronts, mask_spans
from undertone_models.windows.recipes import WindowAugment, WindowRecipe, load_recipe
from undertone_models.windows.scores import answer_windows
from undertone_service.protocol.errors import ErrorCode, UndertoneError

LENGTH = 16000


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    found = []
    for number in range(6):
        path = folder / f"{number}.wav"
        soundfile.write(path, voice(0.5 + 0.1 * number, pitch=100 + 30 * number, seed=number), SAMPLE_RATE)
        emotion = ("anger", "sadness", "fear")[number % 3]
        found.append(Clip(path, "ravdess", f"ravdess_{number}", sex="male", emotion=emotion, split="train"))
    return found


@pytest.fixture
def cache(clips: list[Clip], tmp_path: Path) -> Iterator[AudioCache]:
    with cache_in(tmp_path):
        yield AudioCache.build([clip.path for clip in clips], "recipes")


def recipe(name: str = "cnn1d-mfcc", **changes: object) -> WindowRecipe:
    small = load_recipe(
        name, [f"settings.window_samples={LENGTH}", "settings.filters=[4, 4]", "epochs=2", "batch=4"]
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def test_kept_fronts_are_those_of_the_clips_and_their_noisy_copies(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    training = make_training(clips, [], recipe(), None, cache, tmp_path / "run")
    network = training.network
    assert isinstance(network, Fronted)
    known: Known = {}
    undisturbed = keep_fronts(network, training.train, known)
    alone = torch.cat([network.front(training.train.draw([number])) for number in range(len(clips))])
    torch.testing.assert_close(undisturbed, alone, atol=1e-4, rtol=1e-4)
    assert torch.equal(keep_fronts(network, training.train.of(clips[::-1]), known), undisturbed.flip(0))
    kept = keep_disturbed(network, training.train, training.recipe, known)
    assert kept.shape == (3 * len(clips), *alone.shape[1:])
    torch.testing.assert_close(kept[: len(clips)], alone, atol=1e-4, rtol=1e-4)
    assert (kept[len(clips) :] - alone.repeat(2, 1, 1)).abs().amax(dim=(1, 2)).min() > 1
    assert torch.equal(keep_disturbed(network, training.train, training.recipe, {}), kept)
    faster = replace(training.recipe, augment=WindowAugment(speed=0.1))
    assert not torch.equal(keep_disturbed(network, training.train, faster, known), undisturbed)
    answers = answer_windows(network, training.train, undisturbed)["emotion"]
    np.testing.assert_allclose(answers, answer_windows(network, training.train)["emotion"], atol=1e-4)


def test_a_network_that_is_all_learning_keeps_nothing(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    heavy = load_recipe(
        "xvector",
        ["draws=once", "crop_seconds=0", "settings.channels=[4, 4, 4, 4, 4]", "settings.voiceprint=4"],
    )
    with pytest.raises(UndertoneError, match="draws=anew"):
        make_training(clips, [], heavy, None, cache, tmp_path / "run")


@given(
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(1, 12),
    st.floats(0, 1),
    st.integers(0, 1),
    st.integers(0, 99),
)
def test_spans_hide_no_more_than_their_share(
    clips: int, frames: int, bands: int, share: float, marks: int, seed: int
) -> None:
    marked = torch.randn(clips, frames, bands + marks)
    masked = mask_spans(marked, share, np.random.default_rng(seed), marks)
    assert torch.equal(masked[:, :, bands:], marked[:, :, bands:])
    heard = marked[:, :, :bands]
    for before, after in zip(heard, masked[:, :, :bands], strict=True):
        hidden = before != after
        rows, columns = hidden.all(dim=1).sum(), hidden.all(dim=0).sum()
        if rows < frames and columns < bands:
            assert rows <= round(share * frames)
            assert columns <= round(share * bands)
        assert torch.equal(mask_spans(heard, 0, np.random.default_rng(seed)), heard)


def test_a_run_begins_with_the_weights_of_another_but_for_other_classes(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    first = make_training(clips, [], recipe(), None, cache, tmp_path / "first")
    first.run()
    start = tmp_path / "first" / CHECKPOINT
    two = [clip for clip in clips if clip.emotion != "fear"]
    network = make_training(two, [], recipe(), None, cache, tmp_path / "second", start).network
    before, after = first.network.state_dict(), network.state_dict()
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert set(after) - same == {"heads.logits.emotion.weight", "heads.logits.emotion.bias"}
    with pytest.raises(UndertoneError, match="cnn1d") as refusal:
        make_training(clips, [], recipe(settings={}), None, cache, tmp_path / "third", start)
    assert refusal.value.code is ErrorCode.BAD_REQUEST


def test_training_may_cut_shorter_than_the_window(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    heard = []
    cut = recipe(
        "xvector", settings={"window_samples": LENGTH, "channels": [4] * 5, "voiceprint": 4}, crop_seconds=0.4
    )
    training = make_training(clips, [], cut, None, cache, tmp_path / "run")
    training.network.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].shape[1]))
    training.run()
    assert set(heard) == {6400}
    assert training.train.draw([0]).shape == (1, LENGTH)


def test_vggvox_does_not_hear_what_a_clip_is_padded_with() -> None:
    torch.manual_seed(0)
    settings = VggvoxSettings(64000, (8, 8, 8, 8, 8), fc6=16, fc7=16)
    network = Vggvox(settings, Classes(emotions=6)).eval()
    # One column of the last layer is 5,120 samples; only convolutions at the edge tell the padding.
    sound = torch.from_numpy(voice(2.56, pitch=120, seed=1))[None]
    padded = torch.nn.functional.pad(sound, (5 * 5120, 0))
    with torch.no_grad():
        short, long = network(sound)["voiceprint"], network(padded)["voiceprint"]
        silence = network(torch.zeros(1, 64000))["voiceprint"]
    assert torch.cosine_similarity(short, long).item() > 0.98
    assert silence.isfinite().all()


def test_pairs_are_told_by_a_threshold_from_elsewhere() -> None:
    voices = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
    speakers = np.array([0, 0, 1, 1])
    # Cosines: 0.8 and 0.8 within a speaker; 0, 0.6, 0.6 and 0.96 between two.
    assert pairwise_threshold(voices, speakers) == pytest.approx(0.8)
    assert pairwise_accuracy(voices, speakers, 0.7) == pytest.approx((1 + 3 / 4) / 2)
    assert pairwise_accuracy(voices, speakers, 0.97) == 0.5
    assert pairwise_accuracy(voices, speakers, -1) == 0.5
    assert np.isnan(pairwise_accuracy(voices, np.zeros(4, int), 0.5))
    assert np.isnan(pairwise_accuracy(voices, speakers, float("nan")))
    assert np.isnan(pairwise_eer(np.array([]), np.array([])))
    apart = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert pairwise_eer(apart, np.array([0, 0, 1])) == 0
    assert pairwise_accuracy(apart, np.array([0, 0, 1]), pairwise_threshold(apart, np.array([0, 0, 1]))) == 1
