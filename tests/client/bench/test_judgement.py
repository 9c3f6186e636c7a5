"""When a number of streams passes, what is said of it, and what is written down."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from undertone_client.bench.judgement import Bounds, Measured, Trial, percentiles
from undertone_client.bench.ledger import Tally
from undertone_client.bench.load import Load, LoadKind
from undertone_client.bench.plot import plot
from undertone_client.bench.report import conclusion, report, table
from undertone_client.bench.trial import Conditions
from undertone_client.bench.usage import Memory
from undertone_export.evaluation.report import Section, read_report
from undertone_export.evaluation.results import write_results
from undertone_service.protocol.options import StreamOptions

BOUNDS = Bounds(p99=0.3, hop=0.5)
GOOD = Tally(expected=100, latencies=[0.01] * 99 + [0.2], lags=[0.01] * 100, shares=[0.9] * 100)
MEASURED = Measured(
    streams=50,
    seconds=10.0,
    tally=GOOD,
    busy=0.25,
    memory=Memory(200_000_000, None),
    grown=10_000_000,
    load_busy=0.1,
    generator_late=0.002,
    bundle={"name": "tiny", "digest": "0123456789abcdef"},
)
CONDITIONS = Conditions(
    Load(np.zeros(1600, np.float32), np.ones(1, np.bool_)), LoadKind.CALL, StreamOptions(), 20, 10.0
)


def judged(**changes: object) -> Trial:
    return Trial(replace(MEASURED, tally=replace(GOOD, **changes)), BOUNDS)


def test_a_good_trial_passes_and_is_a_row() -> None:
    trial = Trial(MEASURED, BOUNDS)
    assert trial.passed
    row = trial.row()
    assert row["streams_per_core"] == 200.0
    assert (row["rss_mb"], row["pss_mb"], row["kb_per_stream"]) == (200.0, None, 200.0)
    assert (row["p50_ms"], row["speech_share"], row["verdict"]) == (10.0, 0.9, "passes")
    json.dumps(row)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"missing": 1}, "1 missing"),
        ({"thinned": 3}, "3 thinned"),
        ({"latencies": [0.01] * 999 + [0.81]}, "1 late"),
        ({"latencies": [0.31] * 100}, "p99 310 ms"),
        ({"failures": Counter({"refused: overloaded": 2})}, "2 × refused: overloaded"),
        ({"expected": 0, "latencies": []}, "no result was due"),
        ({"missing": 2, "thinned": 1}, "2 missing; 1 thinned"),
    ],
)
def test_what_does_not_pass_says_why(changes: dict[str, object], verdict: str) -> None:
    trial = judged(**changes)
    assert not trial.passed
    assert trial.verdict == verdict
    assert trial.row()["streams_per_core"] is None
    json.dumps(trial.row(), allow_nan=False)


def test_a_late_generator_proves_nothing() -> None:
    trial = Trial(replace(MEASURED, generator_late=0.021), BOUNDS)
    assert not trial.passed
    assert trial.verdict == "does not count: the generator was late by 21 ms"
    assert "The limit is the generator's" in conclusion([Trial(replace(MEASURED, streams=40), BOUNDS), trial])


def test_percentiles() -> None:
    assert percentiles([float(i) for i in range(101)], 50, 95, 99) == [50.0, 95.0, 99.0]
    assert np.isnan(percentiles([], 50)).all()


def test_the_conclusion_names_the_largest_that_passed() -> None:
    more = Trial(replace(MEASURED, streams=100, tally=replace(GOOD, missing=4)), BOUNDS)
    most = Trial(replace(MEASURED, streams=200, tally=replace(GOOD, missing=9)), BOUNDS)
    assert conclusion([Trial(MEASURED, BOUNDS), most, more]) == "50 streams pass. 100 do not: 4 missing."
    assert conclusion([most]) == "No number that was tried passes. 200 do not: 9 missing."
    assert conclusion([Trial(MEASURED, BOUNDS)]) == "50 streams pass."


def test_the_report_becomes_a_section_of_the_results(tmp_path: Path) -> None:
    trials = [Trial(MEASURED, BOUNDS), judged(missing=1)]
    written = report(CONDITIONS, BOUNDS, trials, "Server on core 1.", "undertone bench --speech a.wav")
    (tmp_path / "bench.json").write_text(json.dumps(written))
    section = read_report(tmp_path / "bench.json")
    assert isinstance(section, Section)
    assert section.kind == "bench"
    assert "Bundle tiny, digest 0123456789ab; window 3 s, hop 0.5 s" in section.text
    write_results(tmp_path / "RESULTS.md", [tmp_path / "bench.json"])
    page = (tmp_path / "RESULTS.md").read_text()
    assert "## Live streams over sockets: call load" in page
    assert "| 1 missing |" in page


def test_table_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [
        Trial(replace(MEASURED, streams=100, tally=Tally(), busy=None, memory=None, grown=None), BOUNDS)
    ]
    trials.append(Trial(MEASURED, BOUNDS))
    Console(width=80).print(table(trials))
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert "p50/p95/p99" in first
    assert [line.split()[0] for line in lines] == ["50", "100"]
    assert lines[1].split()[-1] == "no"
    plot([*trials, judged(missing=1)], BOUNDS, "call load", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
