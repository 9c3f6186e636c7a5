"""Published systems through the commands, on synthetic voices; and the table of what they report."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from tests.small_corpus import cache_in
from tests.voices import SAMPLE_RATE, voice
from undertone_client.command_line import main
from undertone_export.evaluation.published import (
    compared_rows,
    published_figures,
    published_rows,
    rows_by_class,
)
from undertone_export.evaluation.report import RecipeSection, read_report
from undertone_export.evaluation.results import write_results
from undertone_models.data.clips import Clip
from undertone_models.data.labels import write_labels
from undertone_models.data.test_log import TEST_LOG
from undertone_models.protocols.recipe_report import class_rows, corpora_rows, report, summary
from undertone_models.protocols.recipe_rounds import RECIPE_PROTOCOLS
from undertone_models.protocols.recipe_running import RecipeOutcome, TaskFound
from undertone_models.recipe_files import recipe_names
from undertone_models.training.checkpoints import CHECKPOINT
from undertone_models.windows.recipes import load_recipe

SMALL = ["--set", "settings.window_samples=8000", "--set", "settings.filters=[4, 4]", "--set", "epochs=2"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Twelve people of RAVDESS with two emotions each; the folder with the log of looks is the current one."""
    clips = []
    for number in range(12):
        for take, emotion in enumerate(("anger", "sadness")):
            path = tmp_path / f"{number}-{take}.wav"
            soundfile.write(path, voice(0.6, pitch=100 + 5 * number + 80 * take, seed=number), SAMPLE_RATE)
            split = "train" if number < 8 else "valid" if number < 10 else "test"
            sex = ("male", "female")[number % 2]
            clips.append(Clip(path, "ravdess", f"ravdess_{number}", sex=sex, emotion=emotion, split=split))
    write_labels(tmp_path / "labels.csv", clips, tmp_path)
    monkeypatch.chdir(tmp_path)
    TEST_LOG.parent.mkdir()
    TEST_LOG.touch()
    with cache_in(tmp_path / "cache"):
        yield f"labels={tmp_path / 'labels.csv'}"


def test_rounds_are_run_reported_resumed_and_noted(data: str, tmp_path: Path) -> None:
    words = ["--recipe", "cnn1d-mfcc", "--data", data, "--json", "found.json", *SMALL]
    assert main(["protocol", "ravdess-random", "--rounds", "0,1", "--sex", "male", *words]) == 0
    found = read_report(tmp_path / "found.json")
    assert isinstance(found, RecipeSection)
    assert (found.recipe, found.protocol, found.sex) == ("cnn1d-mfcc", "ravdess-random", "male")
    assert [row["round"] for row in found.rows] == ["0", "1", "mean of 2", "±"]
    assert found.rows[0]["held out"] == 1
    assert found.measures["emotion"] in (0, 0.5, 1)
    assert not TEST_LOG.read_text(), "known speakers are no test"
    first = (tmp_path / "found.json").read_text()
    assert main(["protocol", "ravdess-random", "--rounds", "0,1", "--sex", "male", *words]) == 0
    assert (tmp_path / "found.json").read_text() == first
    for _ in range(2):
        assert main(["protocol", "ravdess-speaker", *words]) == 0
    noted = TEST_LOG.read_text().splitlines()
    assert len(noted) == 2
    assert "protocol ravdess-speaker --recipe cnn1d-mfcc" in noted[1]
    assert str(tmp_path) not in noted[1]
    write_results(tmp_path / "RESULTS.md", [tmp_path / "found.json"])
    page = (tmp_path / "RESULTS.md").read_text()
    changed = "settings.window_samples=8000, settings.filters=[4, 4], epochs=2"
    assert f"| cnn1d-mfcc | {changed} | ravdess-speaker | all | 1 | 2 |" in page
    assert "undertone protocol ravdess-speaker --recipe cnn1d-mfcc" in page


def test_a_round_may_be_run_with_several_seeds(data: str, tmp_path: Path) -> None:
    words = ["--recipe", "cnn1d-mfcc", "--data", data, "--json", "found.json", *SMALL]
    assert main(["protocol", "ravdess-speaker", *words, "--seeds", "2"]) == 0
    found = read_report(tmp_path / "found.json")
    assert isinstance(found, RecipeSection)
    assert [row["round"] for row in found.rows] == ["test", "test-seed-1", "mean of 2", "±"]
    assert found.rows[0]["emotion_loss"] != found.rows[1]["emotion_loss"]
    assert "2 of 2 rounds; seed 0, 1" in found.text
    assert "--seeds 2" in found.command


def test_a_recipe_is_trained_by_its_name(data: str, tmp_path: Path) -> None:
    assert main(["train", "cnn1d-mfcc", "--data", data, "--name", "own", *SMALL]) == 0
    assert (tmp_path / "cache" / "runs" / "own" / CHECKPOINT).is_file()


def test_rounds_may_begin_with_a_run_that_heard_nobody_held_out(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "cnn1d-mfcc", "--data", data, "--name", "own", *SMALL]) == 0
    start = str(tmp_path / "cache" / "runs" / "own" / CHECKPOINT)
    words = ["--recipe", "cnn1d-mfcc", "--data", data, "--start", start, "--json", "found.json", *SMALL]
    assert main(["protocol", "ravdess-speaker", *words]) == 0
    found = read_report(tmp_path / "found.json")
    assert isinstance(found, RecipeSection)
    assert "begins with the weights of the run `own`" in found.text
    assert "--start" in found.command
    assert main(["protocol", "ravdess-random", "--rounds", "0", *words]) == 1
    assert "speakers whom round 0 holds out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["protocol", "ravdess-folds", "--recipe", "cnn1d-mfcc"], "goes without --recipe"),
        (["protocol", "ravdess-speaker"], "goes with --recipe"),
        (["protocol", "ravdess-folds"], "needs --start"),
        (["protocol", "ravdess-folds", "--seeds", "2"], "goes with --recipe"),
        (["train", "cnn1d-mfcc", "--commercial"], "takes no --noise"),
        (["train", "streaming", "--sex", "male"], "published systems"),
    ],
)
def test_what_does_not_go_together_is_refused(
    data: str, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--data", data])
    assert reason in capsys.readouterr().err


def test_an_unknown_recipe_and_an_encoder_that_is_missing_are_refused(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "no-such", "--data", data]) == 1
    assert "There is no recipe 'no-such'" in capsys.readouterr().err
    assert main(["train", "embedding-linear", "--data", data]) == 1
    assert "--encoder" in capsys.readouterr().err


def outcome(name: str, share: float) -> RecipeOutcome:
    counts = TaskFound({"anger": 4, "fear": 4}, {"anger": 4}, {"anger": 6, "fear": 2})
    return RecipeOutcome(
        name, {"emotion": share, "emotion_loss": 1.0}, {"emotion": counts}, {"ravdess": {"emotion": share}},
        trained_on=8, held_out=8, epochs=2, best_epoch=1, seconds=3.0, parameters=10,
    )  # fmt: skip


def test_rounds_are_averaged_and_classes_counted() -> None:
    outcomes = [outcome("0", 0.5), outcome("1", 0.7)]
    *rounds, mean, spread = report(outcomes)
    assert [row["emotion average recall %"] for row in rounds] == [50.0, 50.0]
    assert mean["emotion %"] == 60.0
    assert spread["emotion %"] == pytest.approx(14.1)
    assert summary(outcomes)["emotion"] == pytest.approx(0.6)
    anger, fear = class_rows(outcomes, "emotion")
    assert (anger["recall %"], anger["precision %"]) == (100.0, 66.7)
    assert (fear["clips"], fear["recall %"], fear["precision %"]) == (8, 0.0, 0.0)


def section(protocol: str, sex: str | None, share: float) -> RecipeSection:
    return RecipeSection(
        kind="recipe", title="", command="", text="", rows=(), recipe="cnn-transformer", protocol=protocol, sex=sex,
        overrides=(), measures={"emotion": share}, deviations={"emotion": 0.02}, seconds=9, parameters=10,
        megabytes=0.04, rounds=5, epochs=12,
    )  # fmt: skip


def test_ours_stand_beside_the_published_figures() -> None:
    rows = published_rows([section("ravdess-random", "male", 0.82), section("ravdess-speaker", "male", 0.6)])
    (row,) = rows
    assert (row["published"], row["ours"], row["outcome"]) == (74, "82.0 ± 2.0", "reached")
    assert row["ours, speakers held out"] == "60.0 ± 2.0"
    (row,) = published_rows([section("ravdess-random", "female", 0.75)])
    assert (row["published"], row["outcome"]) == (76, "missed by 5.0")
    assert json.dumps(rows)


def test_published_figures_are_of_recipes_and_protocols_that_exist() -> None:
    for figure in published_figures():
        assert figure.recipe in recipe_names()
        assert load_recipe(figure.recipe, figure.overrides)
        assert {figure.protocol, figure.spoken or figure.protocol} <= set(RECIPE_PROTOCOLS)


def test_all_but_tess_is_told_and_classes_stand_beside_the_published_ones(tmp_path: Path) -> None:
    parts = {
        "tess": {"clips": 50, "sex_emotion": 1.0},
        "ravdess": {"clips": 10, "sex_emotion": 0.5},
        "savee": {"clips": 30, "sex_emotion": 0.7},
    }
    *_, rest = corpora_rows([replace(outcome("test", 0.5), by_corpus=parts)])
    assert rest == {"corpus": "all but tess", "clips": 40, "sex_emotion %": 65.0}
    known = [{"class": "anger", "clips": 9, "recall %": 70.0, "precision %": 60.0}]
    vggvox = of_recipe("vggvox-mtl", "cremad-speaker", {"emotion": 0.5, "pairs": 0.6}, known)
    ((title, (row,)),) = rows_by_class([vggvox])
    assert title == "VGGVox, emotion and identity (cremad-speaker), by class"
    assert row == {
        "class": "anger",
        "clips": 9,
        "published recall %": 72.5,
        "recall %": 70.0,
        "precision %": 60.0,
    }
    assert [row["ours"] for row in published_rows([vggvox])] == ["50.0", "60.0"]


def test_runs_that_differ_in_one_setting_stand_side_by_side() -> None:
    measures = {"emotion": 0.45, "gender": 0.9, "emotion_loss": 1.0, "pairs": 0.6, "eer": 0.4}
    none = of_recipe("cnn-blstm-attention", "split", measures, [])
    runs = [
        none.model_copy(update={"overrides": (f"settings.normalisation={value}",)})
        for value in ("none", "minmax")
    ]
    two = of_recipe("vggvox-mtl", "cremad-speaker", measures | {"emotion": 0.5}, [])
    one = of_recipe("vggvox-mtl", "cremad-speaker", measures, []).model_copy(
        update={"overrides": ("tasks.speaker=0",)}
    )
    (normalised, rows), (tasks, (row,)) = compared_rows([*runs, one, two])
    assert "normalisations" in normalised
    assert [(one["normalisation"], one["gender %"]) for one in rows] == [("none", "90.0"), ("minmax", "90.0")]
    assert "VGGVox" in tasks
    assert (row["emotion alone, emotion %"], row["with identity, emotion %"], row["difference"]) == (
        "45.0",
        "50.0",
        5.0,
    )
    assert list(compared_rows([one, runs[0]])) == []


def of_recipe(
    recipe: str, protocol: str, measures: dict[str, float], classes: list[dict[str, object]]
) -> RecipeSection:
    return section(protocol, None, 0.5).model_copy(
        update={"recipe": recipe, "measures": measures, "deviations": {}, "classes": tuple(classes)}
    )
