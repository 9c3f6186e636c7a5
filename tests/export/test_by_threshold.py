"""What a threshold costs: false accepts and false rejects, by seconds of speech."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.small_corpus import valid_trials, write_clips
from tests.tiny_bundle import NAME
from undertone_export.by_threshold import THRESHOLDS, rates_at, threshold_rows
from undertone_export.commands import thresholds as command
from undertone_export.evaluation.measures import error_rates
from undertone_export.evaluation.report import Section, read_report
from undertone_export.evaluation.verification import Scored, error_curves
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial, write_trials
from undertone_service.protocol.errors import UndertoneError


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return write_clips(tmp_path_factory.mktemp("corpus"))


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=20),
    st.lists(st.floats(-1, 1), min_size=1, max_size=20),
    st.floats(-1.1, 1.1),
)
def test_rates_count_what_lies_above(targets: list[float], impostors: list[float], threshold: float) -> None:
    scores = np.array(targets + impostors)
    true = np.arange(len(scores)) < len(targets)
    accepts, rejects = rates_at(error_rates(scores, true, np.ones(len(scores))), threshold)
    assert accepts == pytest.approx(np.mean(np.array(impostors) > threshold))
    assert rejects == pytest.approx(np.mean(np.array(targets) <= threshold))


def test_rows_say_trials_equal_error_rates_and_thresholds() -> None:
    def scored(target: bool, score: float, probe: str) -> Scored:
        trial = Trial(
            (Path("a"),), Path(probe), target, "same-session", "saa", 3.0, {1: None, 3: None, 5: None}
        )
        return Scored(trial, score, False, 3.0)

    some = [
        scored(True, 0.6, "/1"),
        scored(True, 0.2, "/2"),
        scored(False, 0.28, "/3"),
        scored(False, 0.0, "/4"),
    ]
    counts, equal, *rows = threshold_rows({"3 s": some}, {f"/{n}": f"speaker {n}" for n in range(5)})
    assert counts["FRR 3 s %"] == "4 (2)"
    assert str(equal["FRR 3 s %"]).startswith("50.0 (")
    assert [row["threshold"] for row in rows] == [f"{one:g}" for one in THRESHOLDS]
    by_threshold = {row["threshold"]: (row["FAR 3 s %"], row["FRR 3 s %"]) for row in rows}
    assert (by_threshold["0.15"], by_threshold["0.25"], by_threshold["0.3"]) == ((50, 0), (50, 50), (0, 50))
    assert by_threshold["0.7"] == (0, 100)
    assert list(error_curves({"3 s": some})) == ["3 s"]


def test_the_command_writes_a_table_and_two_pictures(
    bundle_folder: Path, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = clips[0].path.parent
    write_trials(folder / "some.csv", valid_trials(clips), folder)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    words = [
        str(bundle_folder / NAME), "--data", f"labels={folder / 'labels.csv'}", "--trials", str(folder / "some.csv"),
        "--json", "found.json", "--plots", "plots",
    ]  # fmt: skip
    assert command.run(parser.parse_args(words)) == 0
    section = read_report(Path("found.json"))
    assert isinstance(section, Section)
    assert section.kind == "thresholds"
    assert set(section.rows[2]) == {"threshold", "FAR 1 s %", "FRR 1 s %", "FAR full %", "FRR full %"}
    assert sorted(file.name for file in Path("plots").iterdir()) == [
        f"{NAME}-far-frr-by-seconds.png", f"{NAME}-far-frr-by-threshold.png"
    ]  # fmt: skip
    (folder / "gone.csv").write_text((folder / "some.csv").read_text().replace(".wav", ".gone"))
    with pytest.raises(UndertoneError, match="are not there"):
        command.run(parser.parse_args([*words, "--trials", str(folder / "gone.csv")]))
