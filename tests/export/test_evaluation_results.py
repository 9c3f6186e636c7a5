"""RESULTS.md: written from saved reports alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from undertone_export.evaluation.report import (
    AgeMeasure,
    Counts,
    EmotionMeasure,
    Evaluation,
    Figure,
    GenderMeasure,
    ReliabilityBin,
    ReliabilityMeasure,
    SecondsMeasure,
    Skipped,
    Slice,
    VerificationMeasure,
)
from undertone_export.evaluation.results import write_results
from undertone_service.protocol.errors import ErrorCode, UndertoneError


def report() -> Evaluation:
    voice: dict[str, Any] = {"corpus": "all", "condition": "all but one-word", "speakers": 9, "targets": 10}
    clips: dict[str, Any] = {"speakers": 9, "clips": 20, "unanswered": 1}
    return Evaluation(
        command="undertone evaluate imagined --data labels=labels.csv --split test",
        bundle="imagined",
        digest="abc" * 20,
        split="test",
        date="2030-01-02T03:04:05+00:00",
        counts=Counts(
            clips=20, speakers=9, trials=30, clips_without_speech=1,
            skipped_rows=(Skipped(reason="no such file", count=2, example="speech/lost|found.wav"),),
        ),
        gender=(
            GenderMeasure(
                corpus="saa+librispeech", accuracy=Figure(value=0.9812, low=0.97, high=0.99), **clips
            ),
            GenderMeasure(corpus="wuw2_telephone", accuracy=Figure(value=0.9), unsure=True, **clips),
        ),
        age=(
            AgeMeasure(
                corpus="saa", error=Figure(value=10.04, low=9, high=11), guess=27.0, guessing_error=11.8,
                covered=0.8, **clips,
            ),
        ),
        emotion=(
            EmotionMeasure(
                corpus="ravdess", classes=("calm", "anger"), accuracy=Figure(value=0.65),
                recall=Figure(value=0.6), free_accuracy=Figure(value=0.55), confusion=((7, 2, 1), (3, 6, 0)),
                **clips,
            ),
        ),
        verification=(
            VerificationMeasure(seconds=None, impostors=20, unanswered=0, error_rate=Figure(value=0.05), **voice),
            VerificationMeasure(seconds=3, impostors=20, unanswered=0, error_rate=Figure(value=0.07), **voice),
            VerificationMeasure(seconds=1, impostors=0, unanswered=0, error_rate=None, **voice),
        ),
        seconds=(
            SecondsMeasure(
                task="gender", corpus="all", seconds=1, clips=40, first=Figure(value=0.9), whole=0.95
            ),
        ),
        slices=(Slice(by="sex", group="female", speakers=5, clips=12, gender=Figure(value=0.98)),),
        reliability=(
            ReliabilityMeasure(
                task="emotion", answers=20, error=0.05, perfect=0.02,
                bins=(ReliabilityBin(share=1.0, confidence=0.6, accuracy=0.55),),
            ),
        ),
    )  # fmt: skip


def rows(page: str, title: str) -> list[list[str]]:
    """Return the cells of the table below a title."""
    lines = page.partition(f"# {title}\n")[2].partition("\n#")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved.json").write_text(report().model_dump_json())
    speed = {
        "kind": "engine-bench", "title": "Engine", "command": "undertone bench --engine", "text": "One core.",
        "rows": [{"streams": 200, "real_time": 1.23456, "held": True}, {"streams": 400, "real_time": None}],
        "machine": "not asked for",
    }  # fmt: skip
    (tmp_path / "bench.json").write_text(json.dumps(speed))
    noisy = report().model_copy(update={"conditions": ("noise10db", "mulaw8k"), "command": "noisy command"})
    (tmp_path / "noisy.json").write_text(noisy.model_dump_json())
    write_results(tmp_path / "RESULTS.md", [tmp_path / "bench.json", Path("saved.json"), Path("noisy.json")])
    return (tmp_path / "RESULTS.md").read_text()


def test_headline_stands_beside_the_targets(page: str) -> None:
    cells = {row[0]: row[1:] for row in rows(page, "Headline")}
    assert cells["gender, saa + librispeech: accuracy"] == [
        "98.1 %", "97.0–99.0", "≥ 99.5 %", "missed by 1.38 points"
    ]  # fmt: skip
    assert cells["age, saa: mean absolute error"] == [
        "10.0 years", "9.0–11.0", "≤ 8.5 years", "missed by 1.54 years"
    ]  # fmt: skip
    assert cells["age, saa: in the stated interval"] == ["80.0 %", "–", "73.0 to 87.0 %", "reached"]
    assert cells["emotion, ravdess, 2 classes: accuracy"][-1] == "missed by 12.00 points"
    assert cells["emotion, ravdess, 2 classes: unweighted average recall"][-1] == "–"
    assert cells["verification, 3 s: EER"] == ["7.0 %", "–", "≤ 2.5 %", "missed by 4.50 points"]
    assert cells["emotion: calibration error beyond chance"] == ["3.0 %", "–", "≤ 4.0 %", "reached"]


def test_other_evaluations_stand_beside_the_first(page: str) -> None:
    heading, _, *lines = rows(page, "Side by side")
    assert heading == ["task", "imagined, test split", "imagined, test split, through noise10db, mulaw8k"]
    cells = {row[0]: row[1:] for row in lines}
    assert cells["gender, saa + librispeech: accuracy"] == [
        "98.1 % (≥ 99.5 %: missed by 1.38 points)", "98.1 % (≥ 97.0 %: reached)"
    ]  # fmt: skip
    assert cells["verification, 3 s: EER"] == ["7.0 % (≤ 2.5 %: missed by 4.50 points)", "7.0 %"]
    assert page.count("### Headline") == 1
    assert "noisy command" in page


def test_how_far_to_trust_answers_is_shown(page: str) -> None:
    assert rows(page, "By seconds of net speech (the same clips in full; clips or trials)")[2] == [
        "gender, all corpora: accuracy %", "90.0 (full 95.0; 40)", "–", "–", "–"
    ]  # fmt: skip
    assert rows(page, "By group")[2] == ["sex: female", "5", "12", "98.0", "–", "–", "–"]
    assert rows(page, "Calibration")[2] == ["emotion", "20", "5.0", "2.0", "3.0"]
    assert rows(page, "Reliability: emotion")[2] == ["100.0", "60.0", "55.0"]


def test_details_confusions_and_gaps_are_shown(page: str) -> None:
    assert rows(page, "Emotion confusions: ravdess")[2:] == [
        ["calm", "7", "2", "1", "70.0"], ["anger", "3", "6", "0", "66.7"]
    ]  # fmt: skip
    assert rows(page, "Age")[2][4:6] == ["10.0 (9.0–11.0)", "11.8 (always 27)"]
    assert rows(page, "Gender")[3][0] == "wuw2_telephone (labels unsure)"
    assert rows(page, "Verification, EER % by speech in the probe")[2:] == [
        ["all but one-word", "9", "10", "20", "0", "5.0", "–", "7.0", "–"]
    ]
    assert rows(page, "Rows left out")[2] == ["no such file", "2", "speech/lost&#124;found.wav"]


def test_other_kinds_follow_with_their_own_columns(page: str) -> None:
    assert page.index("## Bundle imagined, test split") < page.index("## Engine")
    assert rows(page, "Engine") == [
        ["streams", "real_time", "held"], ["---"] * 3, ["200", "1.235", "yes"], ["400", "–", "–"]
    ]  # fmt: skip


def test_the_page_says_how_it_is_made_without_naming_this_machine(page: str, tmp_path: Path) -> None:
    assert "undertone evaluate --results RESULTS.md --from bench.json saved.json noisy.json" in page
    assert "undertone evaluate imagined --data labels=labels.csv --split test" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    "content",
    ["no json", "[]", '{"kind": "evaluation"}', '{"kind": "rolling", "title": "x"}', '{"title": "x"}'],
)
def test_what_is_no_report_is_refused_and_writes_nothing(tmp_path: Path, content: str) -> None:
    source = tmp_path / "bad.json"
    source.write_text(content)
    with pytest.raises(UndertoneError) as refused:
        write_results(tmp_path / "RESULTS.md", [source])
    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert "bad.json" in refused.value.problem
    assert not (tmp_path / "RESULTS.md").exists()
