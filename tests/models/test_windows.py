"""Window recipes: clips as windows, labels, the loop's resuming, every recipe from a few steps to a served window."""

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
from undertone_models.protocols.recipe_rounds import RECIPE_PROTOCOLS
from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.windows.assemble import make_training
from undertone_models.windows.checkpoints import load_window_network, read_window_checkpoint
from undertone_models.windows.clips import UNKNOWN, Windows, drop_quiet, find_labels
from undertone_models.windows.recipes import WindowAugment, WindowRecipe, load_recipe
from undertone_models.windows.scores import answer_windows, measures, merit
from undertone_service.protocol.errors import ErrorCode, UndertoneError

LENGTH = 16000


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Four people of CREMA-D with two emotions each, of half a second to two."""
    folder = tmp_path_factory.mktemp("clips")
    found = []
    for number in range(4):
        for take, emotion in enumerate(("anger", "sadness")):
            path = folder / f"{number}-{take}.wav"
            sound = voice(0.5 + 0.5 * number, pitch=100 + 40 * (number % 2) + 60 * take, seed=number)
            soundfile.write(path, sound, SAMPLE_RATE)
            found.append(
                Clip(
                    path, "crema_d", f"crema_d_{number}", sex=("female", "male")[number % 2], age=20.0 + 15 * number,
                    emotion=emotion, split=("train", "train", "valid", "test")[number],
                )
            )  # fmt: skip
    return found


@pytest.fixture
def cache(clips: list[Clip], tmp_path: Path) -> Iterator[AudioCache]:
    with cache_in(tmp_path):
        yield AudioCache.build([clip.path for clip in clips], "recipes")


def recipe(**changes: object) -> WindowRecipe:
    small = load_recipe(
        "cnn1d-mfcc", [f"settings.window_samples={LENGTH}", "settings.filters=[4, 4]", "epochs=3", "batch=4"]
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def test_short_clips_have_zeros_in_front_and_long_ones_are_cut(clips: list[Clip], cache: AudioCache) -> None:
    labels = find_labels(clips, ["emotion"], {})
    windows = Windows(clips, cache, labels, LENGTH)
    drawn = windows.draw([0, 6]).numpy()
    short, long = cache[clips[0].path], cache[clips[6].path]
    assert np.array_equal(drawn[0], np.concatenate([np.zeros(LENGTH - len(short), np.float32), short]))
    assert np.array_equal(drawn[1], long[:LENGTH])
    random = np.random.default_rng(0)
    starts = {windows.draw([6], WindowAugment(), random).numpy().tobytes() for _ in range(5)}
    assert len(starts) > 1


def test_labels_are_those_of_the_clips_to_train_on_and_what_is_unknown_teaches_nothing(
    clips: list[Clip],
) -> None:
    labels = find_labels(clips, ["emotion", "gender", "sex_emotion", "age", "speaker"], {"anger": "disgust"})
    assert labels.emotion == ("sadness", "disgust")
    assert labels.gender == ("female", "male")
    assert labels.sex_emotion == ("female sadness", "female disgust", "male sadness", "male disgust")
    assert labels.speaker == tuple(f"crema_d_{n}" for n in range(4))
    assert labels.years
    assert labels.age_band == ()
    unknown = replace(clips[0], emotion=None, sex=None, age=None)
    assert [labels.target(task, unknown) for task in ("emotion", "gender", "sex_emotion")] == [UNKNOWN] * 3  # type: ignore[arg-type]
    assert np.isnan(labels.target("age", unknown))
    assert labels.target("emotion", clips[0]) == 1


@given(st.floats(0.01, 0.5), st.integers(0, 50))
def test_what_is_quiet_is_dropped_and_nothing_else_is_touched(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    loud = random.uniform(-0.5, 0.5, 8000).astype(np.float32)
    quiet = (1e-4 * loud).astype(np.float32)
    kept = drop_quiet(np.concatenate([quiet, loud, quiet]), share)
    assert len(loud) - 800 <= len(kept) <= len(loud) + 800
    assert np.array_equal(drop_quiet(loud, 0.0), loud)
    assert len(drop_quiet(np.zeros(100, np.float32), share)) == 100


def test_a_run_learns_resumes_and_equals_one_never_stopped(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    train = [clip for clip in clips if clip.split == "train"]

    def run(folder: str, epochs: int, last: int) -> dict[str, torch.Tensor]:
        training = make_training(
            train, [], recipe(epochs=last, schedule="constant"), None, cache, tmp_path / folder
        )
        training.recipe = replace(training.recipe, epochs=epochs)
        training.run()
        return training.network.state_dict()

    torch.manual_seed(0)
    whole = run("whole", 3, 3)
    torch.manual_seed(0)
    run("parts", 2, 3)
    torch.manual_seed(1)
    resumed = run("parts", 3, 3)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert read_window_checkpoint(tmp_path / "parts" / CHECKPOINT)["epoch"] == 3
    rows = (tmp_path / "parts" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 4


def test_another_recipe_does_not_resume(clips: list[Clip], cache: AudioCache, tmp_path: Path) -> None:
    make_training(clips, [], recipe(epochs=1), None, cache, tmp_path / "run").run()
    with pytest.raises(UndertoneError, match="another recipe") as refusal:
        make_training(clips, [], recipe(epochs=2), None, cache, tmp_path / "run").run()
    assert refusal.value.code is ErrorCode.CONFLICT


def test_the_best_epoch_is_kept_and_patience_ends_a_run(
    clips: list[Clip], cache: AudioCache, tmp_path: Path
) -> None:
    valid = [clip for clip in clips if clip.split == "valid"]
    still = recipe(learning_rate=0.0, epochs=30, patience=2)
    training = make_training(clips[:4], valid, still, None, cache, tmp_path / "run")
    training.run()
    assert (training.best_epoch, training.epoch) in {(1, 3), (2, 4), (3, 5)}
    network, _ = load_window_network(tmp_path / "run" / CHECKPOINT)
    held_out = training.train.of(valid)
    assert measures(answer_windows(network, held_out), held_out, still)["emotion"] == training.best_merit


def test_measures_are_those_of_the_labels(clips: list[Clip], cache: AudioCache) -> None:
    labels = find_labels(clips, ["emotion", "age"], {})
    windows = Windows(clips, cache, labels, LENGTH)
    known = recipe(tasks={"emotion": 1.0, "age": 0.01})
    truth = windows.targets(range(8), ["emotion", "age"])
    outputs = {
        "emotion": np.eye(2, dtype=np.float32)[truth["emotion"].numpy()],
        "age": truth["age"].numpy() + 3,
        "voiceprint": np.repeat(np.eye(4, dtype=np.float32), 2, axis=0),
    }
    found = measures(outputs, windows, known)
    assert found["emotion"] == 1
    assert (found["age"], found["age_rmse"]) == (3, 3)
    assert found["eer"] == 0
    assert merit(found, ["emotion", "age"]) == pytest.approx((1 + 0.9) / 2)
    assert merit({"eer": 0.25}, ["speaker"]) == 0.75


def test_protocols_hold_out_what_they_say(clips: list[Clip]) -> None:
    four = [
        replace(clip, path=Path(f"/{corpus}/{i}"), corpus=corpus, speaker=f"{corpus}_{i // 2}", split=split)
        for corpus in ("tess", "ravdess", "savee", "crema_d")
        for i, (clip, split) in enumerate(
            zip(clips * 5, ["train"] * 20 + ["valid"] * 10 + ["test"] * 10, strict=True)
        )
    ]
    for name, protocol in RECIPE_PROTOCOLS.items():
        for one in protocol.rounds(four):
            assert not set(one.held_out) & {*one.training, *one.validation}, name
            assert one.validation, name
            if one.apart == "speaker":
                heard = {clip.speaker for clip in (*one.training, *one.validation)}
                assert not heard & {clip.speaker for clip in one.held_out}
    folds = RECIPE_PROTOCOLS["cremad-5fold-speakers"].rounds(four)
    assert sorted(c.path for fold in folds for c in fold.held_out) == sorted(
        c.path for c in four if c.corpus == "crema_d"
    )
    with pytest.raises(UndertoneError, match="no clips of"):
        RECIPE_PROTOCOLS["four-corpus-random"].rounds([c for c in four if c.corpus != "tess"])


def test_what_would_do_nothing_is_refused(clips: list[Clip], cache: AudioCache, tmp_path: Path) -> None:
    with pytest.raises(UndertoneError, match="does nothing without draws=anew"):
        load_recipe("cnn1d-mfcc", ["crop_seconds=1.0"])
    hidden = load_recipe("vggvox-mtl", ["augment.masked=0.1"])
    with pytest.raises(UndertoneError, match="no front"):
        make_training(clips, [], hidden, None, cache, tmp_path / "run")
