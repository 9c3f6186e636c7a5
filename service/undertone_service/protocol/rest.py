"""Bodies of the REST calls."""

from typing import Literal

from pydantic import BaseModel, Field

from undertone_service.protocol.labels import Decision
from undertone_service.protocol.messages import ChannelSummary, Identity, UtteranceResult

MAX_NAME = 200


class Problem(BaseModel):
    """Body of every refusal over REST."""

    code: str
    problem: str
    remedy: str
    retry_after: float | None = None


class Consent(BaseModel):
    """The person's agreement to be enrolled; without it no voice is stored."""

    given: Literal[True]
    by: str = Field(min_length=1, max_length=MAX_NAME, description="who recorded the consent, and how")


class NewSpeaker(BaseModel):
    """Create a speaker. ``id`` is chosen by the caller or made by the server."""

    id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    name: str = Field(min_length=1, max_length=MAX_NAME)
    consent: Consent


class EnrolledSpeaker(BaseModel):
    """A speaker as stored."""

    id: str
    name: str
    created_at: str = Field(description="UTC, ISO 8601")
    consent_by: str
    enrollments: int
    speech: float = Field(description="net seconds enrolled")
    state: Literal["empty", "incomplete", "ready", "needs_reenrolment"] = Field(
        description="incomplete: less net speech is enrolled than is wanted; it can be compared all the same"
    )


class SpeakerPage(BaseModel):
    """One page of speakers, ordered by id; ``next`` is the id to pass as ``after`` for the next page."""

    speakers: tuple[EnrolledSpeaker, ...]
    next: str | None = None


class Enrollment(BaseModel):
    """What one enrolment recording added, and how good it was."""

    id: str
    speaker: str
    speech: float = Field(description="net seconds of speech in the recording")
    level_db: float
    snr_db: float | None
    clipped: float = Field(description="part of the samples at full scale, 0 to 1")
    bandwidth_hz: int
    agreement: float | None = Field(description="cosine to what was enrolled before; null for the first")
    missing_speech: float = Field(description="net seconds still wanted for a sound voiceprint; 0 when ready")


class Verification(BaseModel):
    """Whether a recording is the claimed speaker."""

    speaker: str
    score: float
    probability: float
    decision: Decision
    speech: float
    warnings: tuple[str, ...] = ()


class Identification(BaseModel):
    """Which enrolled voice a recording is, if any."""

    identity: Identity
    speech: float
    compared: int = Field(description="voices that were compared")


class Analysis(BaseModel):
    """Everything found in an uploaded recording."""

    duration: float
    sample_rate: int
    channels: tuple[ChannelSummary, ...]
    utterances: tuple[UtteranceResult, ...]
    bundle: str
    digest: str


class Model(BaseModel):
    """A bundle that this server can run."""

    name: str
    digest: str
    kind: str
    default: bool
    licence: str
    notice: str = Field(description="what the weights may be used for")
    tasks: tuple[str, ...]
    sample_rate: int


class ModelList(BaseModel):
    """The bundles of this server."""

    models: tuple[Model, ...]


class SessionInfo(BaseModel):
    """A running or lately ended session."""

    id: str
    state: Literal["live", "ended"]
    started_at: str
    duration: float
    channels: int
    bundle: str


class Health(BaseModel):
    """Whether the server lives, and whether it takes new streams; ``reason`` says why not."""

    status: Literal["ok", "draining", "overloaded"]
    version: str
    reason: str | None = None
