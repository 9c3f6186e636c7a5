"""Readers of public corpora, on tiny trees in each corpus's own layout."""

from dataclasses import replace
from pathlib import Path

import pytest

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.corpora import CORPORA, read_corpora
from undertone_models.data.corpora.splits import with_split
from undertone_service.protocol.errors import UndertoneError


def plant(root: Path, *names: str, **texts: str) -> Path:
    """Make files whose content is their own path, and text files; return the root."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    for name, text in texts.items():
        (root / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return root


def read(name: str, root: Path) -> tuple[list[Clip], list[Rejected]]:
    return read_corpora([f"{name}={root}"])


def test_crema_d(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "AudioWAV/1001_DFA_ANG_XX.wav",
        "AudioWAV/1023_IEO_SAD_HI.wav",
        "AudioWAV/1040_ITH_SAD_X.wav",
        "AudioWAV/1001_DFA_JOY_XX.wav",
        "AudioWAV/notes.wav",
        VideoDemographics__csv="ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n",
    )
    clips, rejected = read("crema_d", tmp_path)
    assert clips[0] == Clip(
        tmp_path / "AudioWAV/1001_DFA_ANG_XX.wav",
        "crema_d",
        "crema_d_1001",
        sex="male",
        age=51.0,
        emotion="anger",
        sentence="Don't forget a jacket",
        language="en",
        split="train",
    )
    assert (clips[1].intensity, clips[1].sex, clips[1].split) == ("HI", None, "test")
    assert clips[2].intensity is None
    assert [Path(fault.path).name for fault in rejected] == ["1001_DFA_JOY_XX.wav", "notes.wav"]


def test_crema_d_folder_of_audio_alone_finds_the_table_above(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "AudioWAV/1001_DFA_ANG_XX.wav",
        VideoDemographics__csv="ActorID,Age,Sex\n1001,51,Male\n",
    )
    clips, rejected = read("crema_d", tmp_path / "AudioWAV")
    assert (clips[0].age, rejected) == (51.0, [])


def test_missing_table_is_said_and_not_fatal(tmp_path: Path) -> None:
    clips, rejected = read("crema_d", plant(tmp_path, "1001_DFA_ANG_XX.wav"))
    assert (len(clips), clips[0].sex) == (1, None)
    assert "missing" in rejected[0].reason


def test_one_recording_under_two_emotions_is_rejected(tmp_path: Path) -> None:
    plant(tmp_path, "1001_DFA_ANG_XX.wav", "1001_DFA_SAD_XX.wav", "1001_DFA_NEU_XX.wav")
    (tmp_path / "1001_DFA_SAD_XX.wav").write_bytes((tmp_path / "1001_DFA_ANG_XX.wav").read_bytes())
    clips, rejected = read("crema_d", tmp_path)
    assert [clip.emotion for clip in clips] == ["neutral"]
    assert [fault.reason for fault in rejected[1:]] == ["the same recording has two different emotions"] * 2


def test_ravdess(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "Actor_01/03-01-02-02-01-01-01.wav",
        "Actor_24/03-01-08-01-02-02-24.wav",
        "Actor_24/03-02-05-01-02-02-24.wav",
        "mirror/Actor_24/03-01-08-01-02-02-24.wav",
    )
    clips, rejected = read("ravdess", tmp_path)
    assert [(c.speaker, c.sex, c.emotion, c.intensity, c.sentence, c.split) for c in clips] == [
        ("ravdess_01", "male", "calm", "strong", "Kids are talking by the door", "train"),
        ("ravdess_24", "female", "surprise", "normal", "Dogs are sitting by the door", "test"),
    ]
    assert [fault.reason for fault in rejected] == [
        "the name is none of this corpus",
        "the same recording again",
    ]


def test_tess(tmp_path: Path) -> None:
    plant(tmp_path, "OAF_neutral/OA_bite_neutral.wav", "YAF_pleasant_surprised/YAF_bite_ps.wav")
    clips, rejected = read("tess", tmp_path)
    assert [(c.speaker, c.age, c.emotion, c.split) for c in clips] == [
        ("tess_OAF", 64.0, "neutral", "train"),
        ("tess_YAF", 26.0, "surprise", "train"),
    ]
    assert (clips[0].sentence, rejected) == ("Say the word bite", [])


def test_savee_in_folders_or_in_one(tmp_path: Path) -> None:
    plant(tmp_path, "AudioData/DC/sa01.wav", "ALL/KL_a15.wav", "Info.wav")
    clips, rejected = read("savee", tmp_path)
    assert [(c.speaker, c.emotion, c.sentence, c.split) for c in clips] == [
        ("savee_KL", "anger", "15", "test"),
        ("savee_DC", "sadness", "01", "train"),
    ]
    assert len(rejected) == 1


def test_savee_inside_a_speakers_own_folder(tmp_path: Path) -> None:
    clips, _ = read("savee", plant(tmp_path / "JE", "n03.wav"))
    assert [(clip.speaker, clip.emotion) for clip in clips] == [("savee_JE", "neutral")]


def test_dots_in_folder_names_do_no_harm(tmp_path: Path) -> None:
    clips, rejected = read("emodb", plant(tmp_path / "emo.db.v1", "wav.16k/03a01Fa.wav"))
    assert (len(clips), rejected) == (1, [])


def test_emodb(tmp_path: Path) -> None:
    clips, rejected = read("emodb", plant(tmp_path, "wav/03a01Fa.wav", "wav/10b10Lb.wav", "wav/17a01Fa.wav"))
    assert [(c.speaker, c.sex, c.age, c.emotion, c.language, c.split) for c in clips] == [
        ("emodb_03", "male", 31.0, "happiness", "de", "test"),
        ("emodb_10", "male", 32.0, "boredom", "de", "valid"),
    ]
    assert len(rejected) == 1


def test_common_voice(tmp_path: Path) -> None:
    columns = "client_id\tpath\tsentence\tage\tgender\tlocale\n"
    rows = (
        'a\tcv_1.mp3\t"Quoted, he said\tfourties\tmale_masculine\tnl\n'
        "b\tcv_2\tB\tseventies\tfemale\tnl\n"
        "b\tcv_3.mp3\tC\t\tother\tnl\n"
        "c\tgone.mp3\tD\t\t\tnl\n"
    )
    plant(tmp_path, "clips/cv_1.mp3", "clips/cv_2.mp3", "clips/cv_3.mp3", validated__tsv=columns + rows)
    clips, rejected = read("commonvoice", tmp_path)
    assert [(c.speaker, c.sex, c.age_band, c.sentence, c.language) for c in clips] == [
        ("commonvoice_a", "male", "forties", '"Quoted, he said', "nl"),
        ("commonvoice_b", "female", "sixties+", "B", "nl"),
        ("commonvoice_b", None, None, "C", "nl"),
    ]
    assert [fault.reason for fault in rejected] == ["no such file"]
    assert clips[1].split == clips[2].split is not None


@pytest.mark.parametrize("separator", ["\t", " ,"])
def test_voxceleb(tmp_path: Path, separator: str) -> None:
    rows = (
        ("VoxCeleb1 ID", "VGGFace1 ID", "Gender", "Nationality", "Set"),
        ("id10001", "A.J._Buckley", "m", "Ireland", "dev"),
        ("id10270", "Eartha_Kitt", "f", "USA", "test"),
    )
    plant(
        tmp_path,
        "wav/id10001/1zcIwhmdeo4/00001.wav",
        "wav/id10001/7gWzIy6yIIk/00001.wav",
        "wav/id10270/5r0dWxy17C8/00002.wav",
        vox1_meta__csv="".join(separator.join(row) + "\n" for row in rows),
    )
    clips, rejected = read("voxceleb", tmp_path)
    assert [(c.speaker, c.sex, c.session) for c in clips] == [
        ("voxceleb_id10001", "male", "1zcIwhmdeo4"),
        ("voxceleb_id10001", "male", "7gWzIy6yIIk"),
        ("voxceleb_id10270", "female", "5r0dWxy17C8"),
    ]
    assert (clips[2].split, rejected) == ("test", [])
    assert clips[0].split == clips[1].split != "test"


def test_librispeech(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "train-clean-100/103/1240/103-1240-0000.flac",
        "train-clean-100/118/121721/118-121721-0001.flac",
        "test-other/367/130732/367-130732-0000.flac",
        "test-clean/61/70968/61-70968-0000.flac",
        SPEAKERS__TXT=";ID  |SEX| SUBSET |MINUTES| NAME\n103  | F | train-clean-100  | 25.1 | Karen\n",
    )
    clips, rejected = read("librispeech", tmp_path)
    assert [(c.speaker, c.sex, c.session, c.split) for c in clips] == [
        ("librispeech_61", None, "61-70968", "test"),
        ("librispeech_367", None, "367-130732", "train"),
        ("librispeech_103", "female", "103-1240", "train"),
        ("librispeech_118", None, "118-121721", "test"),
    ]
    assert rejected == []


@pytest.mark.parametrize("letters", [str.upper, str.lower])
def test_timit(tmp_path: Path, letters: type[str]) -> None:
    names = ["TRAIN/DR1/FCJF0/SA1.WAV", "TEST/DR8/MPAM0/SX19.WAV", "TRAIN/DR1/FCJF0/SA1.WAV.wav"]
    plant(tmp_path, *map(letters, names), letters("DOC/SPKRINFO.TXT"))
    (tmp_path / letters("DOC/SPKRINFO.TXT")).write_text(
        "; comments\n"
        "CJF0  F  1  TRN  03/03/86  07/03/60  5'04\"  WHT  BS\n"
        "PAM0  M  8  TST  03/03/86  ??/??/??  5'04\"  WHT  BS\n"
    )
    clips, rejected = read("timit", tmp_path)
    by_speaker = {clip.speaker: clip for clip in clips}
    woman, man = by_speaker["timit_FCJF0"], by_speaker["timit_MPAM0"]
    assert (woman.sex, woman.age, woman.sentence) == ("female", 25.0, "SA1")
    assert woman.split in ("train", "valid")
    assert (man.sex, man.age, man.split) == ("male", None, "test")
    assert [fault.reason for fault in rejected] == ["the same recording again"]


def test_own_table_keeps_its_splits_and_gets_missing_ones(tmp_path: Path) -> None:
    rows = "a.wav,crema_d,1023,train\nb.wav,crema_d,1027,\nc.wav,own,,\n"
    plant(tmp_path, "a.wav", "b.wav", "c.wav", labels__csv="path,corpus,speaker,split\n" + rows)
    clips, _ = read("labels", tmp_path / "labels.csv")
    assert [clip.split for clip in clips] == ["train", "test", "train"]


@pytest.mark.parametrize("source", ["nowhere=.", "crema_d", "crema_d=/no/such/folder", "labels=/none.csv"])
def test_what_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(UndertoneError):
        read_corpora([source])


@pytest.mark.parametrize("name", sorted(CORPORA.keys() - {"commonvoice"}))
def test_folder_without_the_corpus_is_not_fatal(tmp_path: Path, name: str) -> None:
    clips, rejected = read(name, plant(tmp_path, "music.wav", "._hidden.wav", "notes.txt"))
    assert clips == []
    assert str(tmp_path / "music.wav") in [fault.path for fault in rejected]
    assert not any("hidden" in fault.path or "notes" in fault.path for fault in rejected)


def test_split_by_hash_is_of_the_speaker_and_about_as_large_as_meant() -> None:
    clips = [Clip(Path("x"), "other", f"other_{number}") for number in range(2000)]
    splits = [with_split(clip).split for clip in clips]
    assert splits == [with_split(replace(clip, path=Path("y"))).split for clip in clips]
    assert 0.12 < splits.count("test") / 2000 < 0.18
    assert 0.03 < splits.count("valid") / 2000 < 0.07
