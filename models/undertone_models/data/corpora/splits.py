"""Who is trained on and who is measured on: by speaker, the same for everybody.

Where the project's own data holds a corpus, its test speakers are listed here, so that figures from the
original corpus are comparable. Elsewhere the official split holds, or a hash of the speaker's id.
"""

import hashlib
from dataclasses import replace

from undertone_models.data.clips import Clip

TEST_PERCENT, VALID_PERCENT = 15, 5

# Speakers of these corpora who are not listed train, unless the corpus itself holds them out.
LISTED: dict[str, dict[str, str]] = {
    "crema_d": {
        "valid": "1015 1028 1039 1045 1060 1069 1081",
        "test": """
            1023 1027 1029 1030 1033 1037 1041 1043 1046 1055 1063 1064 1065 1067 1074 1076 1078
            1079 1080 1082 1083 1085 1086 1088
        """,
    },
    "emodb": {
        "valid": "10",
        "test": "03 09",
    },
    "librispeech": {
        "train": """
            19 26 27 32 39 40 60 78 83 84 87 89 103 116 125 196 198 200 201 226 229 233 248 250 251
            254 289 298 302 307 311 322 328 332 367 374 403 405 412 441 445 446 458 481 533 587 625
            696 730 831 839 887 909 911 1040 1069 1081 1098 1116 1183 1235 1246 1263 1334 1355 1363
            1447 1455 1502 1553 1594 1624 1688 1701 1723 1737 1743 1841 1898 1926 1963 1970 1992
            1998 2007 2033 2092 2182 2196 2289 2384 2391 2416 2436 2514 2518 2609 2691 2764 2817
            2836 2843 2893 2910 2911 2952 2989 3080 3081 3168 3170 3235 3240 3259 3331 3436 3440
            3486 3526 3576 3607 3699 3723 3807 3830 3857 3879 3982 3983 4018 4051 4088 4137 4153
            4160 4195 4267 4297 4340 4362 4397 4406 4441 4481 4788 4813 4831 4853 4859 4898 5022
            5049 5104 5163 5322 5339 5390 5393 5456 5463 5514 5561 5652 5678 5688 5703 5778 5789
            5808 5867 6019 6064 6078 6081 6147 6181 6209 6267 6272 6367 6385 6415 6454 6455 6476
            6531 6563 6818 6836 6848 6880 6925 7059 7067 7078 7113 7148 7178 7190 7264 7278 7302
            7312 7367 7402 7447 7505 7511 7517 7635 7780 7794 7800 8014 8051 8063 8088 8095 8098
            8108 8123 8226 8238 8312 8324 8419 8465 8580 8609 8629 8630 8747 8770 8838 8975
        """,
        "valid": "150 163 460 2159 3947 4640 6241 6529 6841 7859 8425",
        "test": """
            118 211 1034 1088 1585 1988 2002 2414 2902 3005 3112 3214 3374 3664 4014 4214 4680 4830
            5192 5750 6000 8797
        """,
    },
    "savee": {
        "test": "KL",
    },
    "ravdess": {"valid": "19 20", "test": "21 22 23 24"},
    "tess": {},
}

_LISTED_SPEAKERS = {
    f"{corpus}_{speaker}": split
    for corpus, splits in LISTED.items()
    for split, speakers in splits.items()
    for speaker in speakers.split()
}


def with_split(clip: Clip) -> Clip:
    """Return the clip with its split: the listed one, else its corpus's own, else one by hash."""
    listed = _LISTED_SPEAKERS.get(clip.speaker)
    return replace(clip, split=listed or clip.split or _unlisted_split(clip))


def valid_or_train(speaker: str) -> str:
    """Return ``valid`` for a few of the speakers of an official training set, ``train`` for the others."""
    return "valid" if _percentile(speaker) < VALID_PERCENT else "train"


def _unlisted_split(clip: Clip) -> str:
    # A clip whose speaker is unknown might be anyone's: it must not be tested on.
    if clip.corpus in LISTED or not clip.speaker:
        return "train"
    percentile = _percentile(clip.speaker)
    return "test" if percentile >= 100 - TEST_PERCENT else "valid" if percentile < VALID_PERCENT else "train"


def _percentile(speaker: str) -> int:
    return int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:8], "big") % 100
