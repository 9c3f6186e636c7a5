"""Trials drawn from speaker ids, and the command that writes lists."""

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from undertone_models.commands.corpora import configure
from undertone_models.data.clips import Clip
from undertone_models.data.labels import read_labels, write_labels
from undertone_models.data.trial_lists import make_trials, measure_speech
from undertone_models.data.trials import read_trials


def vowel(seconds: float) -> NDArray[np.float32]:
    """A buzz with falling harmonics, which WebRTC VAD takes for speech."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    tones = sum(np.sin(2 * np.pi * 130 * n * time) / n for n in range(1, 20))
    return (0.2 * tones * (1 + 0.5 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Six speakers with two sessions of three clips, half of them women; and one with emotional clips."""
    soundfile.write(tmp_path / "vowel.wav", vowel(1.5), 16_000)
    made = []
    for speaker in range(7):
        for session in ("s1", "s2"):
            for number in range(3):
                path = tmp_path / f"{speaker}_{session}_{number}.wav"
                path.hardlink_to(tmp_path / "vowel.wav")
                sex, emotion = ("female", "male")[speaker % 2], "anger" if speaker == 6 else None
                made.append(
                    Clip(path, "x", f"x_{speaker}", sex=sex, session=session, emotion=emotion, split="test")
                )
    return made


def test_cuts_hold_the_seconds_of_speech() -> None:
    silence = np.zeros(8_000, np.float32)
    speech = measure_speech(np.concatenate([silence, vowel(2.0), silence]))
    assert 1.8 <= speech.net <= 2.5
    assert speech.cuts[1] is not None
    assert 8_000 + 14_400 <= speech.cuts[1] <= 8_000 + 17_600
    assert speech.cuts[1] % 320 == 0
    assert measure_speech(np.zeros(16_010, np.float32)).net == 0


def test_trials_keep_their_conditions(clips: list[Clip]) -> None:
    by_path = {clip.path: clip for clip in clips}
    trials = make_trials(clips)
    assert {trial.condition for trial in trials} == {"same-session", "cross-session"}
    for trial in trials:
        enrolled, probe = [by_path[path] for path in trial.enroll], by_path[trial.probe]
        assert len(trial.enroll) == len(set(trial.enroll)) == 2
        assert trial.probe not in trial.enroll
        assert len({clip.speaker for clip in enrolled}) == len({clip.session for clip in enrolled}) == 1
        assert (enrolled[0].speaker == probe.speaker) == trial.target
        assert "x_6" not in (probe.speaker, enrolled[0].speaker)
        if trial.target:
            assert (enrolled[0].session == probe.session) == (trial.condition == "same-session")
        assert trial.cuts[1] is not None
        assert trial.cuts[5] is None
    targets = sum(trial.target for trial in trials)
    assert targets == 6 * 1 + 6 * 3
    assert len(trials) == targets * 6


def test_trials_do_not_depend_on_the_order_of_clips(clips: list[Clip]) -> None:
    assert make_trials(clips) == make_trials(clips[::-1])


def test_most_impostors_share_the_sex(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", vowel(0.5), 16_000)
    clips = []
    for speaker in range(40):
        for number in range(3):
            path = tmp_path / f"{speaker}_{number}.wav"
            path.hardlink_to(tmp_path / "a.wav")
            clips.append(Clip(path, "x", f"x_{speaker}", sex=("female", "male")[speaker % 2]))
    sexes = {clip.path: clip.sex for clip in clips}
    impostors = [trial for trial in make_trials(clips) if not trial.target]
    alike = sum(sexes[trial.probe] == sexes[trial.enroll[0]] for trial in impostors)
    assert len(impostors) == 40 * 10
    assert 0.8 <= alike / len(impostors) < 1


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


def test_lists_are_written_and_read_back(tmp_path: Path, clips: list[Clip]) -> None:
    (tmp_path / "own.csv").touch()
    write_labels(tmp_path / "own.csv", clips, tmp_path)
    source = f"labels={tmp_path / 'own.csv'}"
    assert command("lists", "--data", source, "--out", str(tmp_path / "lists")) == 0
    listed, rejected = read_labels(tmp_path / "lists" / "labels.csv")
    assert (len(listed), rejected) == (len(clips), [])
    assert listed[0].seconds == 1.5
    trials = read_trials(tmp_path / "lists" / "trials.csv")
    assert len(trials) == len(make_trials(clips))
    assert all(trial.probe.is_file() for trial in trials)
    assert read_trials(tmp_path / "lists" / "trials-valid.csv") == []


def test_check_lists_bad_audio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "good.wav", vowel(0.5), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8_000), 16_000)
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "own.csv").write_text("path\ngood.wav\nsilent.wav\ntext.wav\ngone.wav\n")
    source = f"labels={tmp_path / 'own.csv'}"
    assert command("check", "--data", source, "--rejected", str(tmp_path / "rejected.csv")) == 0
    with (tmp_path / "rejected.csv").open(newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert reasons["silent.wav"] == "silent"
    assert reasons["gone.wav"] == "no such file"
    assert reasons["text.wav"].startswith("unreadable")
    assert "silent" in capsys.readouterr().out
    assert command("check", "--labels-only", "--data", source) == 0


def test_known_corpora_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list") == 0
    printed = capsys.readouterr().out
    assert "crema_d: CREMA-D" in printed
    assert "timit: TIMIT" in printed
