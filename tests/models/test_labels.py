"""Label tables: what is read, and which rows are refused with which reason."""

from pathlib import Path

import pytest

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.labels import read_labels, write_labels
from undertone_service.protocol.errors import UndertoneError

HEADING = "path,corpus,speaker,sex,age,age_band,emotion,split\n"


def read(folder: Path, rows: str, heading: str = HEADING) -> tuple[list[Clip], list[Rejected]]:
    for name in ("a.wav", "b.wav"):
        (folder / name).touch()
    table = folder / "labels.csv"
    table.write_text(heading + rows, encoding="utf-8")
    return read_labels(table)


def test_full_row_and_empty_cells(tmp_path: Path) -> None:
    clips, rejected = read(tmp_path, "a.wav,emodb,emodb_03,male,31,,happiness,test\nb.wav,emodb,08,,,,,\n")
    assert rejected == []
    assert clips[0] == Clip(
        tmp_path / "a.wav", "emodb", "emodb_03", sex="male", age=31.0, emotion="happiness", split="test"
    )
    assert clips[1] == Clip(tmp_path / "b.wav", "emodb", "emodb_08")


def test_path_alone_is_enough(tmp_path: Path) -> None:
    clips, rejected = read(tmp_path, "a.wav\n", heading="path\n")
    assert (clips, rejected) == ([Clip(tmp_path / "a.wav", "own", "")], [])


def test_paths_are_relative_to_the_root_given(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    (audio / "a.wav").touch()
    table = tmp_path / "labels.csv"
    table.write_text("path\na.wav\n", encoding="utf-8")
    assert read_labels(table)[0] == []
    assert read_labels(table, audio)[0] == [Clip(audio / "a.wav", "own", "")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.wav,x,1,female,31,,joy,test", "emotion 'joy'"),
        ("a.wav,x,1,woman,31,,,test", "sex 'woman'"),
        ("a.wav,x,1,female,-4,,,test", "age -4 cannot be"),
        ("a.wav,x,1,female,nan,,,test", "age nan cannot be"),
        ("a.wav,x,1,female,old,,,test", "age 'old' is no number"),
        ("a.wav,x,1,female,31,fifties,,test", "not in the band 'fifties'"),
        ("a.wav,x,1,female,,elderly,,test", "age_band 'elderly'"),
        ("a.wav,x,1,female,31,,,dev", "split 'dev'"),
        ("c.wav,x,1,female,31,,,test", "no such file"),
        (",x,1,female,31,,,test", "no path"),
    ],
)
def test_bad_rows_are_rejected_and_the_others_read(tmp_path: Path, row: str, reason: str) -> None:
    clips, rejected = read(tmp_path, row + "\nb.wav,x,2,male,,,,train\n")
    assert [clip.path.name for clip in clips] == ["b.wav"]
    assert len(rejected) == 1
    assert reason in rejected[0].reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("a.wav,x,1,,,,anger,\na.wav,x,1,,,,fear,\n", "the same path has two different labels"),
        ("a.wav,x,1,female,,,,\nb.wav,x,1,male,,,,\n", "the speaker has two sexes"),
        ("a.wav,x,1,,,,,train\nb.wav,x,1,,,,,test\n", "the speaker is in two splits"),
    ],
)
def test_contradictions_reject_every_row_concerned(tmp_path: Path, rows: str, reason: str) -> None:
    clips, rejected = read(tmp_path, rows)
    assert clips == []
    assert [refusal.reason for refusal in rejected] == [reason, reason]


def test_unknown_speakers_contradict_nobody(tmp_path: Path) -> None:
    clips, _ = read(tmp_path, "a.wav,x,,female,,,,train\nb.wav,x,,male,,,,test\n")
    assert len(clips) == 2


def test_repeated_row_counts_once(tmp_path: Path) -> None:
    clips, rejected = read(tmp_path, "a.wav,x,1,,,,anger,\n" * 2)
    assert (len(clips), rejected) == (1, [])


@pytest.mark.parametrize("content", [b"", b"file,speaker\na.wav,1\n", b"path\n\xff\xfe\n"])
def test_unreadable_table_is_refused(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(content)
    with pytest.raises(UndertoneError):
        read_labels(table)


def test_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UndertoneError, match=r"none\.csv"):
        read_labels(tmp_path / "none.csv")


def test_written_table_reads_back_the_same(tmp_path: Path) -> None:
    clips, _ = read(tmp_path, "a.wav,x,1,female,31,,anger,test\nb.wav,x,2,,,teens,,\n")
    write_labels(tmp_path / "again.csv", clips, tmp_path)
    assert read_labels(tmp_path / "again.csv") == (clips, [])
