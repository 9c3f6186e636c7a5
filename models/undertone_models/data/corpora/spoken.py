"""Corpora of read and free speech: speakers in the paths, what is known of them in tables."""

import re
from pathlib import Path

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.corpora.reading import Corpus, Reading, find_file, read_names
from undertone_models.data.corpora.splits import valid_or_train
from undertone_models.data.tables import Row, read_table
from undertone_service.protocol.errors import ErrorCode, UndertoneError

SEXES = {"f": "female", "m": "male"}
COMMON_VOICE_SEXES = {
    "female": "female",
    "female_feminine": "female",
    "male": "male",
    "male_masculine": "male",
}
COMMON_VOICE_BANDS = {
    "teens": "teens",
    "twenties": "twenties",
    "thirties": "thirties",
    "fourties": "forties",
    "forties": "forties",
    "fifties": "fifties",
    "sixties": "sixties+",
    "seventies": "sixties+",
    "eighties": "sixties+",
    "nineties": "sixties+",
}


def _read_common_voice(root: Path) -> Reading:
    table = find_file(root, "validated.tsv")
    if table is None:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{root} holds no validated.tsv.",
            "Point commonvoice to the folder of one language, which holds validated.tsv and clips/.",
        )
    for row in read_table(table, ("client_id", "path")):
        name = row["path"] if row["path"].endswith(".mp3") else f"{row['path']}.mp3"
        path = table.parent / "clips" / name
        if not path.is_file():
            yield Rejected(str(path), "no such file")
            continue
        yield Clip(
            path,
            "commonvoice",
            f"commonvoice_{row['client_id']}",
            sex=COMMON_VOICE_SEXES.get(row.get("gender", "")),
            age_band=COMMON_VOICE_BANDS.get(row.get("age", "")),
            sentence=row.get("sentence") or None,
            language=row.get("locale") or table.parent.name,
        )


def _read_voxceleb(root: Path) -> Reading:
    speakers: dict[str, Row] = {}
    for name, column in (("vox1_meta.csv", "VoxCeleb1 ID"), ("vox2_meta.csv", "VoxCeleb2 ID")):
        table = find_file(root, name)
        if table is not None:
            speakers |= {row[column]: row for row in read_table(table, (column, "Gender", "Set"))}
    if not speakers:
        yield Rejected(str(root / "vox1_meta.csv"), "missing: sexes and the official test set stay unknown")

    def clip(path: Path, name: re.Match[str]) -> Clip:
        known = speakers.get(name[1], {})
        speaker = f"voxceleb_{name[1]}"
        return Clip(
            path,
            "voxceleb",
            speaker,
            sex=SEXES[known["Gender"].lower()] if known else None,
            session=name[2],
            split="test" if known.get("Set") == "test" else valid_or_train(speaker) if known else None,
        )

    yield from read_names(root, r"(id\d{5})/([^/]+)/(\d{5})", clip)


def _read_librispeech(root: Path) -> Reading:
    sexes: dict[str, str] = {}
    table = find_file(root, "SPEAKERS.TXT")
    if table is None:
        yield Rejected(str(root / "SPEAKERS.TXT"), "missing: sexes stay unknown")
    else:
        for line in _lines(table):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) >= 2 and cells[1].lower() in SEXES:
                sexes[cells[0]] = SEXES[cells[1].lower()]

    def clip(path: Path, name: re.Match[str]) -> Clip:
        subset, speaker, chapter, _utterance = name.groups()
        return Clip(
            path,
            "librispeech",
            f"librispeech_{speaker}",
            sex=sexes.get(speaker),
            language="en",
            session=f"{speaker}-{chapter}",
            split={"dev": "valid", "test": "test", "train": "train"}[subset.lower()],
        )

    yield from read_names(root, r"(dev|test|train)-[a-z0-9-]+/\d+/\d+/(\d+)-(\d+)-(\d+)", clip)


def _read_timit(root: Path) -> Reading:
    ages: dict[str, float] = {}
    table = find_file(root, "DOC/SPKRINFO.TXT", "SPKRINFO.TXT", "doc/spkrinfo.txt", "spkrinfo.txt")
    if table is None:
        yield Rejected(str(root / "DOC" / "SPKRINFO.TXT"), "missing: ages stay unknown")
    else:
        ages = _timit_ages(table)

    def clip(path: Path, name: re.Match[str]) -> Clip:
        part, sex, speaker, sentence = (group.upper() for group in name.groups())
        label = f"timit_{sex}{speaker}"
        return Clip(
            path,
            "timit",
            label,
            sex=SEXES[sex.lower()],
            age=ages.get(speaker),
            sentence=sentence,
            language="en",
            split="test" if part == "TEST" else valid_or_train(label),
        )

    yield from read_names(root, r"(train|test)/dr\d/([fm])([a-z]{3}\d)/(s[aix]\d+)", clip)


def _timit_ages(table: Path) -> dict[str, float]:
    """Read ages at the time of recording; some birth dates are given as ??/??/??."""
    ages: dict[str, float] = {}
    for line in _lines(table):
        cells = line.split()
        dates = [re.fullmatch(r"(\d\d)/(\d\d)/(\d\d)", cell) for cell in cells[4:6]]
        if len(dates) == 2 and dates[0] and dates[1]:
            months = [12 * int(date[3]) + int(date[1]) for date in (dates[0], dates[1])]
            ages[cells[0].upper()] = float((months[0] - months[1]) // 12)
    return ages


def _lines(table: Path) -> list[str]:
    """Read the lines of a text table that are no comments; both corpora begin those with a semicolon."""
    text = table.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if not line.startswith(";")]


COMMON_VOICE = Corpus(
    "commonvoice",
    "Common Voice",
    "https://commonvoice.mozilla.org/datasets",
    "CC0 1.0",
    "validated.tsv and clips/ of one language",
    _read_common_voice,
)
VOXCELEB = Corpus(
    "voxceleb",
    "VoxCeleb 1 and 2",
    "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/",
    "metadata CC BY 4.0; the rights in the audio are its owners'",
    "wav/id10001/1zcIwhmdeo4/00001.wav; sex from vox1_meta.csv, vox2_meta.csv; .m4a must be converted",
    _read_voxceleb,
)
LIBRISPEECH = Corpus(
    "librispeech",
    "LibriSpeech",
    "https://www.openslr.org/12/",
    "CC BY 4.0",
    "train-clean-100/103/1240/103-1240-0000.flac; sex from SPEAKERS.TXT",
    _read_librispeech,
)
TIMIT = Corpus(
    "timit",
    "TIMIT",
    "https://catalog.ldc.upenn.edu/LDC93S1",
    "LDC user agreement",
    "TRAIN/DR1/FCJF0/SA1.WAV; age from DOC/SPKRINFO.TXT",
    _read_timit,
)
