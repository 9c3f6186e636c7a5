"""Two systems on the same trials: what the peer hears, how it enrols, and what their difference is."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.small_corpus import valid_trials, write_clips
from tests.tiny_bundle import NAME
from undertone_export.commands import compare as command
from undertone_export.compare import PEER, Pair, PeerHearing, compare, paired_difference, score_both
from undertone_export.evaluation.conditions import Conditions, Excerpt
from undertone_export.evaluation.report import Section, read_report
from undertone_export.evaluation.verification import Scored, score_trials
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial, write_trials
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.protocol.errors import UndertoneError

# Stands for an environment with resemblyzer: its voiceprint is the spectrum below 2 kHz, and its first float tells
# how much sound it was given.
_PEER = """\
import sys
import numpy as np
while header := sys.stdin.buffer.read(4):
    samples = np.frombuffer(sys.stdin.buffer.read(4 * int.from_bytes(header, "little")), np.float32)
    spectrum = np.abs(np.fft.rfft(samples, 2048))[:256] if len(samples) > 9000 else np.zeros(256)
    spectrum /= max(np.linalg.norm(spectrum), 1e-9)
    sys.stdout.buffer.write(spectrum.astype(np.float32).tobytes())
"""


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "peer.py").write_text(_PEER)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "peer.py"}"\n')
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return write_clips(tmp_path_factory.mktemp("corpus"))


def test_the_peer_enrols_with_the_mean_of_its_voiceprints(clips: list[Clip], python: Path) -> None:
    paths = [clip.path for clip in clips if clip.split == "valid"]
    one, two, probe = Excerpt(paths[0], enrolled=True), Excerpt(paths[1], enrolled=True), Excerpt(paths[2])
    hearing = PeerHearing()
    hearing.ask(python, [one, two, probe, replace(probe, samples=8000)])
    voices = [heard.outputs.voiceprint for e in (one, two, probe) if (heard := hearing[e])]
    mean = (voices[0] + voices[1]) / 2
    trial = Trial(
        (paths[0], paths[1]), paths[2], True, "same-session", "saa", 3.0, {1: 8000, 3: None, 5: None}
    )
    (whole,) = score_trials([trial], hearing, None)
    assert whole.score == pytest.approx(mean @ voices[2] / np.linalg.norm(mean), abs=1e-5)
    (cut,) = score_trials([trial], hearing, 1)
    assert (cut.score, cut.unanswered) == (-1.0, True), "it finds no speech in so little"


def test_both_systems_score_every_trial_at_every_length(
    bundle: StreamingBundle, clips: list[Clip], python: Path
) -> None:
    trials = valid_trials(clips)
    pairs = score_both(bundle, python, trials, Conditions())
    assert {length: len(some) for length, some in pairs.items()} == {None: 16, 5: 0, 3: 0, 1: 16}
    assert all(pair.ours.trial is pair.peers.trial for some in pairs.values() for pair in some)
    line = score_both(bundle, python, trials[:1], Conditions(("mulaw8k",), line=True))
    assert line[None][0].peers.score != pairs[None][0].peers.score
    rows = compare(pairs, clips)
    assert {(row["trials"], row["split"]) for row in rows} == {
        ("all but one-word", "valid"), ("saa, same-session", "valid")
    }  # fmt: skip
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


def pairs_of(
    speaker: str, ours: tuple[float, float], peers: tuple[float, float], split: str = ""
) -> list[Pair]:
    """Return a target and an impostor of one speaker, as both systems score them."""
    made = []
    for target, own, other in zip((True, False), ours, peers, strict=True):
        trial = Trial(
            (Path("e"),), Path(f"{split}{speaker}"), target, "telephone cross-session", "wuw2", 2.0, {}
        )  # fmt: skip
        made.append(Pair(Scored(trial, own, False), Scored(trial, other, False)))
    return made


def test_equal_systems_do_not_differ_in_any_resample() -> None:
    random = np.random.default_rng(0)
    chosen = []
    for n in range(8):
        scores = (float(random.normal(0.5)), float(random.normal()))
        chosen += pairs_of(f"s{n}", scores, scores)
    difference = paired_difference(chosen, {})
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_the_difference_is_ours_less_the_peers_over_the_same_speakers() -> None:
    right, wrong = (1.0, 0.0), (0.0, 1.0)
    chosen = [pair for n in range(6) for pair in pairs_of(f"s{n}", right, right if n else wrong)]
    difference = paired_difference(chosen, {})
    assert difference.value < 0
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low < difference.value < difference.high == 0.0
    one = paired_difference(pairs_of("s", right, wrong), {})
    assert (one.value, one.low, one.high) == (-1.0, None, None), "one speaker gives no interval"
    assert np.isnan(paired_difference(chosen[:1], {}).value)


def test_splits_are_taken_together_and_each_alone() -> None:
    right, wrong = (1.0, 0.0), (0.0, 1.0)
    chosen = pairs_of("a", right, wrong, "valid/") + pairs_of("b", right, right, "test/")
    clips = [
        Clip(Path("valid/a"), "wuw2", "wuw2_a", split="valid"),
        Clip(Path("test/b"), "wuw2", "wuw2_b", split="test"),
    ]
    rows = {(row["trials"], row["split"]): row for row in compare({None: chosen}, clips)}
    for kind in ("all but one-word", "cross-session", "wuw2, telephone cross-session"):
        assert [split for name, split in rows if name == kind] == ["test + valid", "test", "valid"]
        assert rows[kind, "test + valid"]["speakers"] == 2
        assert rows[kind, "valid"]["difference"] == -100.0
        assert rows[kind, "test"]["difference"] == 0.0
        assert rows[kind, "test"][f"{PEER} %"] == 0.0


def test_the_command_writes_a_section_and_says_what_is_missing(
    bundle: StreamingBundle, clips: list[Clip], python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = clips[0].path.parent
    write_trials(folder / "trials.csv", valid_trials(clips)[:6], folder)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    words = [
        str(bundle.folder), "--data", f"labels={folder / 'labels.csv'}", "--trials", str(folder / "trials.csv"),
        "--condition", "mulaw8k", "--json", "found.json",
    ]  # fmt: skip
    assert command.run(parser.parse_args([*words, "--python", str(python)])) == 0
    section = read_report(Path("found.json"))
    assert isinstance(section, Section)
    assert (section.kind, section.title) == ("comparison", f"Verification beside {PEER}, through mulaw8k")
    assert [row["seconds"] for row in section.rows] == ["all", 1, "all", 1]
    with pytest.raises(UndertoneError, match="There is no nowhere"):
        command.run(parser.parse_args([*words, "--python", "nowhere"]))
    lost = replace(valid_trials(clips)[0], probe=folder / "lost.wav")
    write_trials(folder / "lost.csv", [lost], folder)
    with pytest.raises(UndertoneError, match="1 recordings that the trials name"):
        command.run(
            parser.parse_args([*words, "--trials", str(folder / "lost.csv"), "--python", str(python)])
        )
