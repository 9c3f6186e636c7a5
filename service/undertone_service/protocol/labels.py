"""The words that data and answers share."""

from enum import StrEnum

PROTOCOL_VERSION = "1.0"

EMOTIONS = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "boredom")
GENDERS = ("female", "male")
AGE_BANDS = ("teens", "twenties", "thirties", "forties", "fifties", "sixties+")


class Role(StrEnum):
    """Who is heard on a channel."""

    CUSTOMER = "customer"
    AGENT = "agent"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class Task(StrEnum):
    """What can be asked of a stream."""

    EMOTION = "emotion"
    GENDER = "gender"
    AGE = "age"
    SPEAKER = "speaker"


class Decision(StrEnum):
    """Outcome of verification so far."""

    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


def age_band(years: float) -> str:
    """Return the band that holds an age in years: ``age_band(34.2) == "thirties"``."""
    decade = min(max(int(years // 10), 1), 6)
    return AGE_BANDS[decade - 1]
