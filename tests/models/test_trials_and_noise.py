"""Trial lists and noise tables."""

from pathlib import Path

import pytest

from undertone_models.data.noise import Noise, read_noises
from undertone_models.data.trials import Trial, read_trials, write_trials
from undertone_service.protocol.errors import UndertoneError

TRIALS = "enroll,probe,target,condition,corpus,net,cut1,cut3,cut5\n"


def test_trials_are_read_and_written_alike(tmp_path: Path) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(TRIALS + "a.wav;b.wav,c.wav,1,same-session,x,3.72,28800,68160,\n", encoding="utf-8")
    trials = read_trials(table)
    assert trials == [
        Trial(
            enroll=(tmp_path / "a.wav", tmp_path / "b.wav"),
            probe=tmp_path / "c.wav",
            target=True,
            condition="same-session",
            corpus="x",
            net=3.72,
            cuts={1: 28800, 3: 68160, 5: None},
        )
    ]
    write_trials(tmp_path / "again.csv", trials, tmp_path)
    assert (tmp_path / "again.csv").read_text() == table.read_text()


@pytest.mark.parametrize(
    "row",
    ["a.wav,c.wav,yes,s,x,3,1,,", ",c.wav,1,s,x,3,1,,", "a.wav,,1,s,x,3,1,,", "a.wav,c.wav,1,s,x,3,1.5,,"],
)
def test_bad_trial_is_refused_with_its_number(tmp_path: Path, row: str) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(TRIALS + "a.wav,c.wav,1,s,x,3,1,,\n" + row + "\n", encoding="utf-8")
    with pytest.raises(UndertoneError, match="Trial 2 of"):
        read_trials(table)


def test_noises_are_read_and_bad_rows_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "n.wav").touch()
    table = tmp_path / "noise.csv"
    table.write_text(
        "path,type,seconds,licence,split\n"
        "n.wav,noise,5.0,CC0,train\n"
        "n.wav,rir,,,test\n"
        "n.wav,music,5.0,CC0,train\n"
        "n.wav,noise,5.0,CC0,all\n"
        "gone.wav,noise,5.0,CC0,train\n",
        encoding="utf-8",
    )
    assert read_noises(table) == [
        Noise(tmp_path / "n.wav", "noise", "train", 5.0, "CC0"),
        Noise(tmp_path / "n.wav", "rir", "test", 0.0, ""),
    ]
    assert len(caplog.records) == 3
