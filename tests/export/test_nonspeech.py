"""What counts as speech: frames through the live channel, the rule fitted to them, and the table."""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.manifests import manifest
from tests.small_corpus import write_clips
from tests.tiny_bundle import NAME
from tests.voices import SAMPLE_RATE, conversation, silence, voice
from undertone_export.commands import nonspeech as command
from undertone_export.evaluation.report import Section, read_report
from undertone_export.nonspeech import (
    Listened,
    Material,
    choose_clips,
    fit_confirmation,
    gather,
    listen,
    read_sounds,
    report,
)
from undertone_models.data.clips import Clip
from undertone_models.data.test_log import TEST_LOG
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.speech import ActiveStep, active_steps
from undertone_service.protocol.errors import UndertoneError


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


def heard(shares: Sequence[float], *, seconds: float | None = None) -> Listened:
    """Return a recording whose every step is let through, with these shares of speech."""
    full = np.ones(5, np.float32)
    steps = [ActiveStep(n, np.zeros(0, np.float32), full, n == 0) for n in range(len(shares))]
    return Listened(seconds or 0.1 * len(shares), 0.0, steps, [5 * share for share in shares])


def test_what_is_kept_of_a_channel_is_what_it_heard_and_counted(bundle: StreamingBundle) -> None:
    samples = conversation()
    found, quiet = listen(bundle, [samples, silence(1.0)], "voices")
    assert found.seconds == pytest.approx(len(samples) / SAMPLE_RATE)
    assert found.speech > 3
    assert found.counted(bundle.manifest).sum() * 0.02 == pytest.approx(found.speech)
    steps = active_steps(samples)
    assert found.let_through().sum() == sum(step.mask.sum() for step in steps)
    assert [step.index for step in found.steps] == [step.index for step in steps]
    assert (quiet.speech, quiet.let_through().sum()) == (0, 0)


@settings(deadline=None)  # other work on the machine is not the rule's fault
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.5, 1), st.integers(1, 5))
def test_nothing_counts_that_was_not_let_through_and_no_stricter_rule_hears_more(
    shares: list[float], share: float, steps: int
) -> None:
    recording = heard(shares)
    loose = recording.counted(manifest(speech_share=share, confirm_steps=steps))
    strict = recording.counted(manifest(speech_share=share, confirm_steps=steps + 1))
    assert loose.shape == recording.let_through().shape
    assert not (loose & ~recording.let_through()).any()
    assert loose.any() or not strict.any()


def test_shares_are_of_time_for_sounds_and_of_the_clean_frames_for_speech() -> None:
    rule = manifest(speech_share=0.9, confirm_steps=2)
    tone, bark = heard([0.6] * 20, seconds=4.0), heard([0.95] * 10, seconds=4.0)
    clean, noisy = heard([0.99] * 10), heard([0.99] * 5 + [0.1] * 2 + [0.99] * 9)
    material = Material({"tone": [tone], "barks": [tone, bark]}, [clean], [noisy])
    assert material.false_speech(rule) == pytest.approx({"tone": 0.0, "barks": 1.0 / 8.0})
    assert material.lost_of_a_clip(rule) == 0
    cut = Listened(1.0, 0.0, noisy.steps[:10], noisy.outputs[:10])
    assert Material({}, [clean], [cut]).lost(rule) == pytest.approx(0.2)


def test_the_fitted_rule_tells_doubtful_sounds_from_speech_in_noise() -> None:
    # Barks are twice as sure as any rule of one sure step would stand; noisy speech is sure now and then.
    barks = [heard([0.98, 0.7, 0.9, 0.6] * 5) for _ in range(12)]
    few = [heard([1.0] * 20)]
    noisy = heard([0.97, 0.96, 0.98, 0.7, 0.6] * 6)
    material = Material({"barks": barks, "one place": few}, [heard([1.0] * 30)], [noisy])
    loose = manifest(speech_share=0.6, confirm_steps=2)
    assert material.false_speech(loose)["barks"] > 0.5
    fitted = fit_confirmation(material, loose)
    assert material.false_speech(fitted)["barks"] == 0
    assert material.lost(fitted) == 0
    changed = {"speech_share": fitted.speech_share, "confirm_steps": fitted.confirm_steps}
    assert loose.model_copy(update=changed) == fitted, "nothing else is touched"


def clip(path: str, split: str = "valid", corpus: str = "saa") -> Clip:
    return Clip(Path(path), corpus, f"{corpus}_1", split=split)


def test_every_corpus_gives_clips_of_the_split_and_none_too_many() -> None:
    clips = [clip(f"{n:02}") for n in range(40)] + [clip("t", "test"), clip("r", corpus="ravdess")]
    chosen = choose_clips(clips, "valid")
    assert {one.split for one in chosen} == {"valid"}
    assert [one.corpus for one in chosen].count("ravdess") == 1
    assert len(chosen) == len(set(chosen)) == 26
    assert choose_clips(reversed(clips), "valid") == chosen or {*choose_clips(reversed(clips), "valid")} == {
        *chosen
    }
    with pytest.raises(UndertoneError, match="no clip"):
        choose_clips(clips, "train")


def write_noise_table(folder: Path) -> Path:
    random = np.random.default_rng(0)
    table = folder / "noise.csv"
    rows = [("hiss", "train", "hum"), ("fan", "test", "fans"), ("street", "test", "streets")]
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "type", "split", "what"))
        for name, split, what in rows:
            samples = 0.1 * random.standard_normal(20_000).astype(np.float32)
            soundfile.write(folder / f"{name}.wav", samples, SAMPLE_RATE)
            writer.writerow((f"{name}.wav", "noise", split, what))
        writer.writerow(("hiss.wav", "rir", "test", "rooms"))
    return table


def test_noises_are_those_of_the_split_by_what_they_are(tmp_path: Path) -> None:
    table = write_noise_table(tmp_path)
    found = read_sounds(table, "test")
    assert {kind: len(some) for kind, some in found.items()} == {"fans": 1, "streets": 1}
    assert len(found["fans"][0]) == 20_000
    with pytest.raises(UndertoneError, match="no noise in the split 'valid'"):
        read_sounds(table, "valid")
    (tmp_path / "fan.wav").write_bytes(b"no sound")
    with pytest.raises(UndertoneError, match="unreadable"):
        read_sounds(table, "test")


def test_the_table_of_valid_uses_noises_of_train(
    bundle: StreamingBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undertone_export.nonspeech.CLIPS", 1)
    monkeypatch.setattr("undertone_export.nonspeech.SECONDS", 2.0)
    clips = [one for one in write_clips(tmp_path) if one.split == "valid"][:2]
    material = gather(bundle, clips, write_noise_table(tmp_path), "valid")
    rows = {row["sound"]: row for row in report(material, bundle.manifest)}
    noisy, clean = "speech at 5 dB", "speech, clean"
    kinds = ["DTMF", "ringback", "hold music", "fax", "white noise", "hum", noisy, clean]
    assert list(rows) == kinds
    assert len({tuple(row) for row in rows.values()}) == 1
    # The tiny network calls speech all that VAD and gate let through.
    assert rows["DTMF"]["counts as speech %"] == rows["DTMF"]["VAD and gate %"]
    assert rows[clean]["counts as speech %"] == 100.0
    assert rows[clean]["recordings"] == 2
    assert rows[noisy]["seconds"] == rows[clean]["seconds"] == round(2 * 3.3)


def test_the_command_writes_a_section_and_notes_a_look_at_the_test_split(
    bundle: StreamingBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("undertone_export.nonspeech.CLIPS", 1)
    monkeypatch.setattr("undertone_export.nonspeech.SECONDS", 1.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    log = tmp_path / TEST_LOG
    log.write_text("date,digest,command\n")
    table = write_noise_table(tmp_path)
    soundfile.write(tmp_path / "a.wav", voice(2.0), SAMPLE_RATE)
    (tmp_path / "labels.csv").write_text(
        "path,corpus,speaker,split\na.wav,saa,saa_1,test\na.wav,saa,saa_1,test\n"
    )
    parser = argparse.ArgumentParser()
    command.configure(parser)
    words = [
        str(bundle.folder),
        "--data",
        "labels=labels.csv",
        "--noise",
        str(table),
        "--json",
        "out/found.json",
    ]
    arguments = parser.parse_args(words)
    assert command.run(arguments) == 0
    assert "sound: fax  recordings: 1" in capsys.readouterr().out
    section = read_report(tmp_path / "out" / "found.json")
    assert isinstance(section, Section)
    assert section.kind == "nonspeech"
    assert [row["sound"] for row in section.rows][5:] == [
        "fans",
        "streets",
        "speech at 5 dB",
        "speech, clean",
    ]
    assert json.loads((tmp_path / "out" / "found.json").read_text())["text"].startswith("Bundle tiny")
    _, (_, digest, _) = list(csv.reader(log.read_text().splitlines()))
    assert digest == bundle.manifest.digest
