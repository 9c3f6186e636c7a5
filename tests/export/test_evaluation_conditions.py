"""Conditions: what every system hears, the same each time."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.voices import SAMPLE_RATE, silence, voice
from undertone_export.evaluation.conditions import Conditions, Excerpt, conditioned, read_conditions
from undertone_models.data.audio import load_audio
from undertone_models.training.augment import telephone
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.dsp.speech import active_steps
from undertone_service.protocol.errors import UndertoneError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a clip, noises and rooms of both splits, and the table of these."""
    folder = tmp_path_factory.mktemp("conditions")
    random = np.random.default_rng(0)
    clip = np.concatenate([silence(0.6), voice(1.5, seed=3), silence(0.6), voice(1.2, seed=4)])
    soundfile.write(folder / "clip.wav", clip, SAMPLE_RATE, subtype="FLOAT")
    for name in ("heard", "other", "trained"):
        noise = 0.1 * random.standard_normal(40_000) * (0.2 if name == "trained" else 1)
        soundfile.write(folder / f"{name}.wav", noise, SAMPLE_RATE)
        response = np.zeros(4000)
        response[3], response[1500] = 0.9, 0.4
        soundfile.write(folder / f"{name}-room.wav", response, SAMPLE_RATE)
    (folder / "noise.csv").write_text(
        "path,type,split\n"
        "heard.wav,noise,test\nother.wav,noise,test\ntrained.wav,noise,train\n"
        "heard-room.wav,rir,test\ntrained-room.wav,rir,train\n"
    )
    return folder


def test_names_apply_as_room_noise_line_whatever_their_order(folder: Path) -> None:
    conditions = read_conditions("mulaw8k,noise10db,reverb", folder / "noise.csv")
    assert conditions.names == ("reverb", "noise10db", "mulaw8k")
    assert (len(conditions.noises), len(conditions.responses)) == (2, 1)  # the test split's
    assert read_conditions("noise-5db", folder / "noise.csv").snr_db == -5.0
    heard = conditioned(folder / "clip.wav", conditions, probe=True)
    before_the_line = conditioned(
        folder / "clip.wav", read_conditions("reverb,noise10db", folder / "noise.csv"), probe=True
    )
    np.testing.assert_array_equal(heard, telephone(before_the_line))


@pytest.mark.parametrize(
    "text", ["", "cave", "noise", "noise5db,noise10db", "mulaw8k,mulaw8k", "mulaw8k;reverb"]
)
def test_what_is_no_condition_is_refused(text: str, folder: Path) -> None:
    with pytest.raises(UndertoneError, match="conditions"):
        read_conditions(text, folder / "noise.csv")


def test_a_table_is_asked_for_where_one_is_needed(folder: Path, tmp_path: Path) -> None:
    assert read_conditions("mulaw8k", None).line
    with pytest.raises(UndertoneError, match="draws from"):
        read_conditions("reverb", None)
    (tmp_path / "noise.csv").write_text("path,type,split\n")
    with pytest.raises(UndertoneError, match="no recording"):
        read_conditions("noise5db", tmp_path / "noise.csv")


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_is_as_loud_as_it_says_during_speech(folder: Path, snr_db: float) -> None:
    conditions = read_conditions(f"noise{snr_db:.0f}db", folder / "noise.csv")
    clean = load_audio(folder / "clip.wav")
    heard = conditioned(folder / "clip.wav", conditions, probe=True)
    noise = heard - clean
    speech = np.concatenate(
        [step.index * STEP_SAMPLES + np.arange(STEP_SAMPLES) for step in active_steps(clean)]
    )
    speech = speech[speech < len(clean)]
    ratio = 10 * np.log10(np.mean(clean[speech] ** 2) / np.mean(noise[speech] ** 2))
    assert ratio == pytest.approx(snr_db, abs=0.05)
    assert np.abs(heard).max() < 1  # so that nothing was turned down


def test_the_path_alone_decides_what_is_drawn(folder: Path, tmp_path: Path) -> None:
    conditions = read_conditions("noise5db", folder / "noise.csv")
    first = conditioned(folder / "clip.wav", conditions, probe=True)
    np.testing.assert_array_equal(first, conditioned(folder / "clip.wav", conditions, probe=True))
    places = [tmp_path / where / "data" / "speech" / "one" / "clip.wav" for where in ("here", "there")]
    other = tmp_path / "here" / "data" / "speech" / "two" / "clip.wav"
    for place in (*places, other):
        place.parent.mkdir(parents=True)
        place.write_bytes((folder / "clip.wav").read_bytes())
    here, there = (conditioned(place, conditions, probe=True) for place in places)
    np.testing.assert_array_equal(here, there)
    assert not np.array_equal(here, conditioned(other, conditions, probe=True))


def test_enrolments_go_through_the_line_alone(folder: Path) -> None:
    clip = folder / "clip.wav"
    conditions = read_conditions("reverb,noise5db,mulaw8k", folder / "noise.csv")
    np.testing.assert_array_equal(conditions.hear(Excerpt(clip, enrolled=True)), telephone(load_audio(clip)))
    assert conditions.distinct(Excerpt(clip, enrolled=True)) != Excerpt(clip)
    line = read_conditions("mulaw8k", None)
    assert line.distinct(Excerpt(clip, enrolled=True)) == Excerpt(clip)


def test_a_cut_is_the_beginning_of_the_disturbed_whole(folder: Path) -> None:
    clip = folder / "clip.wav"
    for conditions in (Conditions(), read_conditions("reverb,noise5db,mulaw8k", folder / "noise.csv")):
        whole = conditions.hear(Excerpt(clip))
        assert len(whole) == len(load_audio(clip))
        np.testing.assert_array_equal(conditions.hear(Excerpt(clip, 20_000)), whole[:20_000])


def test_noise_that_falls_silent_during_speech_is_drawn_again(folder: Path, tmp_path: Path) -> None:
    click = np.zeros(SAMPLE_RATE * 60)
    click[:20] = 0.9
    soundfile.write(tmp_path / "click.wav", click, SAMPLE_RATE)
    (tmp_path / "noise.csv").write_text("path,type,split\nclick.wav,noise,test\n")
    conditions = read_conditions("noise10db", tmp_path / "noise.csv")
    with pytest.raises(UndertoneError, match="lasts through"):
        conditioned(folder / "clip.wav", conditions, probe=True)
