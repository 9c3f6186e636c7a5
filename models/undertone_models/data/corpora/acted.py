"""Corpora of acted emotion: all their labels are in the file names."""

import re
from pathlib import Path

from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.corpora.reading import Corpus, Reading, find_file, read_names
from undertone_models.data.tables import Row, read_table

CREMA_D_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
CREMA_D_SENTENCES = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
RAVDESS_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
TESS_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
TESS_AGES = {"OAF": 64.0, "YAF": 26.0}
SAVEE_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
EMODB_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
EMODB_SPEAKERS = {
    "03": ("male", 31.0),
    "08": ("female", 34.0),
    "09": ("female", 21.0),
    "10": ("male", 32.0),
    "11": ("male", 26.0),
    "12": ("male", 30.0),
    "13": ("female", 32.0),
    "14": ("female", 35.0),
    "15": ("male", 25.0),
    "16": ("female", 31.0),
}
EMODB_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def _read_crema_d(root: Path) -> Reading:
    actors: dict[str, Row] = {}
    table = find_file(root, "VideoDemographics.csv")
    if table is None:
        yield Rejected(str(root / "VideoDemographics.csv"), "missing: sexes and ages stay unknown")
    else:
        actors = {row["ActorID"]: row for row in read_table(table, ("ActorID", "Age", "Sex"))}

    def clip(path: Path, name: re.Match[str]) -> Clip:
        actor, sentence, emotion, intensity = name.groups()
        known = actors.get(actor, {})
        return Clip(
            path,
            "crema_d",
            f"crema_d_{actor}",
            sex=known["Sex"].lower() if known else None,
            age=float(known["Age"]) if known else None,
            emotion=CREMA_D_EMOTIONS[emotion.upper()],
            intensity=None if intensity.upper().startswith("X") else intensity.upper(),
            sentence=CREMA_D_SENTENCES[sentence.upper()],
            language="en",
        )

    yield from read_names(root, r"(\d{4})_([a-z]{3})_([a-z]{3})_([a-z]{1,2})", clip)


def _ravdess_clip(path: Path, name: re.Match[str]) -> Clip:
    emotion, intensity, sentence, _repetition, actor = name.groups()
    return Clip(
        path,
        "ravdess",
        f"ravdess_{actor}",
        sex="male" if int(actor) % 2 else "female",
        emotion=RAVDESS_EMOTIONS[emotion],
        intensity={"01": "normal", "02": "strong"}[intensity],
        sentence=RAVDESS_SENTENCES[sentence],
        language="en",
    )


def _tess_clip(path: Path, name: re.Match[str]) -> Clip:
    # One file of the original is called OA_bite_neutral.
    speaker = {"OA": "OAF"}.get(name[1].upper(), name[1].upper())
    return Clip(
        path,
        "tess",
        f"tess_{speaker}",
        sex="female",
        age=TESS_AGES[speaker],
        emotion=TESS_EMOTIONS[name[3].lower()],
        sentence=f"Say the word {name[2].lower()}",
        language="en",
    )


def _savee_clip(path: Path, name: re.Match[str]) -> Clip:
    speaker, emotion, sentence = name.groups()
    return Clip(
        path,
        "savee",
        f"savee_{speaker.upper()}",
        sex="male",
        emotion=SAVEE_EMOTIONS[emotion.lower()],
        sentence=sentence,
        language="en",
    )


def _emodb_clip(path: Path, name: re.Match[str]) -> Clip:
    speaker, sentence, emotion, _version = name.groups()
    sex, age = EMODB_SPEAKERS[speaker]
    return Clip(
        path,
        "emodb",
        f"emodb_{speaker}",
        sex=sex,
        age=age,
        emotion=EMODB_EMOTIONS[emotion.upper()],
        sentence=EMODB_SENTENCES[sentence.lower()],
        language="de",
    )


CREMA_D = Corpus(
    "crema_d",
    "CREMA-D",
    "https://github.com/CheyneyComputerScience/CREMA-D",
    "ODbL 1.0 and DbCL 1.0",
    "AudioWAV/1001_DFA_ANG_XX.wav; sex and age from VideoDemographics.csv",
    _read_crema_d,
)
RAVDESS = Corpus(
    "ravdess",
    "RAVDESS (speech, audio only)",
    "https://zenodo.org/records/1188976",
    "CC BY-NC-SA 4.0",
    "Actor_01/03-01-01-01-01-01-01.wav; songs and videos are left out",
    lambda root: read_names(root, r"03-01-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)", _ravdess_clip),
)
TESS = Corpus(
    "tess",
    "Toronto emotional speech set",
    "https://doi.org/10.5683/SP2/E8H2MF",
    "CC BY-NC-ND 4.0",
    "OAF_angry/OAF_back_angry.wav, in any folders",
    lambda root: read_names(root, r"(OAF?|YAF)_([a-z]+)_([a-z]+)", _tess_clip),
)
SAVEE = Corpus(
    "savee",
    "Surrey audio-visual expressed emotion",
    "http://kahlan.eps.surrey.ac.uk/savee/",
    "research only",
    "AudioData/DC/a01.wav, or DC_a01.wav in one folder",
    lambda root: read_names(root, r"(DC|JE|JK|KL)[/_]([a-z]{1,2})(\d\d)", _savee_clip),
)
EMODB = Corpus(
    "emodb",
    "Berlin database of emotional speech",
    "http://emodb.bilderbar.info/",
    "free for research; commercial use unclear",
    "wav/03a01Fa.wav",
    lambda root: read_names(root, r"(\d\d)([ab]\d\d)([a-z])([a-z])", _emodb_clip),
)
