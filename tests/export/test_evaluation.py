"""The command, from clips on disk to tables, JSON, plots and the log, on a bundle that knows nothing."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.voices import SAMPLE_RATE, silence, voice
from undertone_client.command_line import main
from undertone_export.commands.evaluate import open_bundle
from undertone_export.evaluation.conditions import Excerpt
from undertone_export.evaluation.hearing import Hearing
from undertone_export.evaluation.report import Evaluation, read_report
from undertone_service.protocol.errors import ErrorCode, UndertoneError

# Speaker, sex, age, emotion, split; the third says nothing at all.
CLIPS = (
    ("a", "female", "24", "anger", "test"),
    ("a", "female", "24", "neutral", "test"),
    ("b", "male", "61", "anger", "test"),
    ("b", "male", "61", "neutral", "test"),
    ("c", "male", "30", "sadness", "train"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with labels.csv, trials.csv and clips."""
    folder = tmp_path_factory.mktemp("data")
    labels = ["path,corpus,speaker,sex,age,emotion,split"]
    for number, (speaker, sex, age, emotion, split) in enumerate(CLIPS):
        samples = (
            30 * silence(1.5) if number == 2 else voice(1.5, pitch=110 + 60 * (speaker == "a"), seed=number)
        )
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE)
        labels.append(f"{number}.wav,own,{speaker},{sex},{age},{emotion},{split}")
    (folder / "broken.wav").write_text("no audio")
    labels.append("broken.wav,own,b,male,61,anger,test")
    labels.append("gone.wav,own,a,female,24,anger,test")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    trials = [
        "enroll,probe,target,condition,corpus,net,cut1,cut3,cut5",
        "0.wav,1.wav,1,same-session,own,1.4,16000,,",
        "3.wav,1.wav,0,same-session,own,1.4,16000,,",
        "0.wav;1.wav,3.wav,0,same-session,own,1.4,16000,,",
        "3.wav,2.wav,1,same-session,own,0,,,",
    ]
    (folder / "trials.csv").write_text("\n".join(trials) + "\n")
    return folder


@pytest.fixture(scope="module")
def evaluation(
    data: Path, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Evaluation]:
    """Return the folder that the command ran in, and what it saved."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "models").mkdir()
    (folder / "models" / "TEST_LOG.csv").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        status = main(
            [
                "evaluate", str(bundle_folder / "tiny"), "--data", f"labels={data / 'labels.csv'}",
                "--trials", str(data / "trials.csv"), "--json", "out.json", "--plots", "plots",
            ]
        )  # fmt: skip
    assert status == 0
    report = read_report(folder / "out.json")
    assert isinstance(report, Evaluation)
    return folder, report


def test_every_labelled_clip_is_answered_or_an_error(evaluation: tuple[Path, Evaluation]) -> None:
    _, report = evaluation
    assert (report.bundle, report.split) == ("tiny", "test")
    assert (report.counts.clips, report.counts.speakers, report.counts.trials) == (5, 2, 4)
    assert report.counts.clips_without_speech == 2  # the silent one and the broken one
    assert [(fault.reason, fault.count) for fault in report.counts.skipped_rows] == [("no such file", 1)]
    assert [fault.count for fault in report.counts.unusable] == [1]
    (gender,), (age,), (emotion,) = report.gender, report.age, report.emotion
    assert gender.clips == age.clips == emotion.clips == 5
    assert gender.unanswered == age.unanswered == emotion.unanswered == 2
    assert emotion.classes == ("neutral", "sadness", "anger")  # all that the corpus has, in any split
    assert [sum(row) for row in emotion.confusion] == [2, 0, 3]
    assert sum(row[-1] for row in emotion.confusion) == 2
    assert age.guess == 30.0


def test_trials_are_scored_by_length(evaluation: tuple[Path, Evaluation]) -> None:
    _, report = evaluation
    counts = {
        (measure.condition, measure.seconds): (measure.targets, measure.impostors, measure.unanswered)
        for measure in report.verification
    }
    assert counts == {
        ("all but one-word", None): (2, 2, 1), ("all but one-word", 1): (1, 2, 0),
        ("same-session", None): (2, 2, 1), ("same-session", 1): (1, 2, 0),
    }  # fmt: skip


def test_it_leaves_plots_and_a_line_in_the_log(evaluation: tuple[Path, Evaluation], data: Path) -> None:
    folder, report = evaluation
    names = {path.name for path in (folder / "plots").iterdir()}
    verification = {f"verification-{name}.png" for name in ("det", "far-frr", "eer")}
    trust = {f"reliability-{task}.png" for task in ("emotion", "gender", "verification")}
    assert names == {"confusion-own.png", "age-own.png", "risk-coverage-emotion.png"} | verification | trust
    with (folder / "models" / "TEST_LOG.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines == [{"date": report.date, "digest": report.digest, "command": report.command}]
    assert "--split test --json out.json --plots plots" in report.command
    assert f"={data}" not in report.command  # relative paths only


def test_another_split_is_not_logged(
    data: Path, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "evaluate",
        str(bundle_folder / "tiny"),
        "--data",
        f"labels={data / 'labels.csv'}",
        "--log",
        "log.csv",
    ]
    assert main([*words, "--split", "train"]) == 0
    assert not (tmp_path / "log.csv").exists()


def test_the_results_page_is_made_of_what_was_saved(
    evaluation: tuple[Path, Evaluation], tmp_path: Path
) -> None:
    folder, _ = evaluation
    page = tmp_path / "RESULTS.md"
    assert main(["evaluate", "--results", str(page), "--from", str(folder / "out.json")]) == 0
    text = page.read_text()
    assert "## Bundle tiny, test split" in text
    assert "## Side by side" not in text


def test_labels_elsewhere_and_conditions(
    data: Path, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = "path,corpus,speaker,sex,emotion\n0.wav,own,a,female,anger\n3.wav,own,b,,anger\n4.wav,own,c,male,envy\n"
    (tmp_path / "mine.csv").write_text(table)
    soundfile.write(tmp_path / "hum.wav", 0.1 * np.sin(np.arange(16000) / 20), SAMPLE_RATE)
    (tmp_path / "noise.csv").write_text("path,type,split\nhum.wav,noise,test\n")
    words = ["evaluate", str(bundle_folder / "tiny"), "--labels", "mine.csv", "--root", str(data)]
    assert (
        main([*words, "--condition", "mulaw8k,noise5db", "--noise", "noise.csv", "--json", "out.json"]) == 0
    )
    report = read_report(tmp_path / "out.json")
    assert isinstance(report, Evaluation)
    assert report.title == "tiny, test split, through noise5db, mulaw8k"
    assert "--labels mine.csv --root" in report.command
    assert "--condition mulaw8k,noise5db --noise noise.csv" in report.command
    assert report.counts.clips == 2  # without a split: of the one measured
    assert [fault.count for fault in report.counts.skipped_rows] == [1]
    left_out = {fault.reason: fault.count for fault in report.counts.skipped_labels}
    assert left_out == {"gender: not stated": 1, "age in years: not stated": 2}


@pytest.mark.parametrize(
    "words", [[], ["tiny"], ["--results", "x.md"], ["tiny", "--results", "x.md", "--from", "x.json"]]
)
def test_half_a_command_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as misused:
        main(["evaluate", *words])
    assert misused.value.code == 2
    assert "--results" in capsys.readouterr().err


@pytest.mark.parametrize(("split", "trials"), [("valid", None), ("test", "0.wav,9.wav,1,x,own,1,,,")])
def test_nothing_to_measure_on_is_refused(
    data: Path, bundle_folder: Path, tmp_path: Path, split: str, trials: str | None,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [
        "evaluate",
        str(bundle_folder / "tiny"),
        "--data",
        f"labels={data / 'labels.csv'}",
        "--split",
        split,
    ]
    if trials is not None:
        (tmp_path / "trials.csv").write_text(
            f"enroll,probe,target,condition,corpus,net,cut1,cut3,cut5\n{trials}\n"
        )
        words += ["--trials", "trials.csv"]
    assert main(words) == 1
    assert capsys.readouterr().err.count("\n") == 2


def test_bundles_are_found_by_folder_and_by_name(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTONE_BUNDLE_DIRS", str(bundle_folder))
    assert open_bundle("tiny").manifest == open_bundle(str(bundle_folder / "tiny")).manifest
    with pytest.raises(UndertoneError) as refused:
        open_bundle("no-such-bundle")
    assert refused.value.code is ErrorCode.UNKNOWN_BUNDLE


def test_an_excerpt_is_heard_as_a_file_of_its_own(data: Path, bundle_folder: Path, tmp_path: Path) -> None:
    samples, _ = soundfile.read(data / "0.wav", dtype="float32")
    soundfile.write(tmp_path / "cut.wav", samples[:12000], SAMPLE_RATE)
    bundle = open_bundle(str(bundle_folder / "tiny"))
    hearing = Hearing()
    excerpts = [Excerpt(data / "0.wav"), Excerpt(data / "0.wav", 12000), Excerpt(tmp_path / "cut.wav")]
    hearing.listen(bundle, excerpts)
    whole, cut, file = (hearing[excerpt] for excerpt in excerpts)
    assert whole is not None
    assert cut is not None
    assert file is not None
    assert cut.speech == file.speech < whole.speech
    np.testing.assert_allclose(cut.outputs.emotion, file.outputs.emotion, atol=1e-4)
    assert hearing[Excerpt(Path("never asked for"))] is None


def test_saved_figures_are_plain_json(evaluation: tuple[Path, Evaluation]) -> None:
    saved = json.loads((evaluation[0] / "out.json").read_text())
    assert saved["kind"] == "evaluation"
    assert set(saved["gender"][0]["accuracy"]) == {"value", "low", "high"}
