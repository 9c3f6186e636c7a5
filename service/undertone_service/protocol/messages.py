"""The messages of the native socket. Text frames are JSON; binary frames are audio and have no type here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from undertone_service.protocol.labels import Decision, Role, Task
from undertone_service.protocol.options import AudioFormat

# --- what a client sends -------------------------------------------------------------------------------


class Configure(BaseModel):
    """Change options while the stream runs; answered by ``configured``. What is absent stays as it is."""

    type: Literal["configure"] = "configure"
    tasks: tuple[Task, ...] | None = None
    verify: tuple[str, ...] | None = Field(default=None, description="replaces the claims; [] drops them")
    identify: bool | None = None


class Finalize(BaseModel):
    """End the open utterances now; answered by their ``utterance`` messages and ``finalized``."""

    type: Literal["finalize"] = "finalize"


class Keepalive(BaseModel):
    """Hold the session open while no audio is sent. Not answered."""

    type: Literal["keepalive"] = "keepalive"


class Close(BaseModel):
    """End the session; answered by ``session.ended``, then the socket closes."""

    type: Literal["close"] = "close"


Control = Annotated[Configure | Finalize | Keepalive | Close, Field(discriminator="type")]
CONTROL: TypeAdapter[Configure | Finalize | Keepalive | Close] = TypeAdapter(Control)

# --- what the answers are made of ----------------------------------------------------------------------


class Emotion(BaseModel):
    """How the voice sounds. ``scores`` are calibrated probabilities that sum to 1."""

    label: str
    confidence: float
    scores: dict[str, float]


class Gender(BaseModel):
    """Which gender the voice suggests."""

    label: str
    confidence: float


class Age(BaseModel):
    """Estimated age in years, with an interval meant to hold the true age in 80 % of cases."""

    years: float | None
    low: float | None
    high: float | None
    band: str


class Match(BaseModel):
    """One enrolled voice and how well it fits."""

    id: str
    name: str | None = None
    score: float
    probability: float


class Speaker(BaseModel):
    """Verification of a claimed speaker so far.

    ``score`` is a cosine in [-1, 1], ``probability`` that it is the claimed speaker, ``speech`` the net
    seconds of the channel that were scored.
    """

    id: str
    score: float
    probability: float
    decision: Decision
    speech: float


class Identity(BaseModel):
    """Open-set identification: ``best`` is null where none of the enrolled voices fits."""

    best: Match | None
    candidates: tuple[Match, ...] = ()


class Estimate(BaseModel):
    """The answers of all tasks over one stretch of audio; a task without enough net speech is null."""

    emotion: Emotion | None = None
    gender: Gender | None = None
    age: Age | None = None
    speaker: Speaker | None = None
    identity: Identity | None = None


# --- what the server sends -----------------------------------------------------------------------------


class ServerMessageBase(BaseModel):
    """``seq`` counts the messages of a session from 0 without gaps, given at sending."""

    model_config = ConfigDict(extra="ignore")

    seq: int = 0


class ChannelMessageBase(ServerMessageBase):
    """A message about one channel."""

    channel: int
    role: Role = Role.UNKNOWN


class BundleInfo(BaseModel):
    """Which model answers."""

    name: str
    digest: str
    licence: str = Field(description="licence of the weights")
    notice: str = Field(default="", description="what they may be used for")
    tasks: tuple[str, ...]


class Limits(BaseModel):
    """What the server allows a session; times in seconds."""

    max_message_bytes: int
    max_rate: float
    idle_timeout: float
    max_session: float


class Policy(BaseModel):
    """What is answered for each channel, and whether audio is kept."""

    emotion: tuple[bool, ...] = Field(description="for each channel, whether emotion is reported")
    stores_audio: bool = False


class SessionStarted(ServerMessageBase):
    """First message of every session."""

    type: Literal["session.started"] = "session.started"
    id: str
    protocol: str
    started_at: str = Field(description="UTC, ISO 8601")
    previous: str | None = None
    audio: AudioFormat
    bundle: BundleInfo
    window: float
    hop: float
    limits: Limits
    policy: Policy


class SpeechStarted(ChannelMessageBase):
    """Somebody began to speak; ``time`` in seconds of audio."""

    type: Literal["speech.started"] = "speech.started"
    time: float


class SpeechEnded(ChannelMessageBase):
    """The speaker fell silent at ``time``."""

    type: Literal["speech.ended"] = "speech.ended"
    time: float
    speech: float = Field(description="net seconds of speech in the utterance")


class SpeakerChanged(ChannelMessageBase):
    """The recent voice no longer fits the channel's earlier one."""

    type: Literal["speaker.changed"] = "speaker.changed"
    time: float
    score: float = Field(description="cosine between recent and earlier voice")


class Result(ChannelMessageBase, Estimate):
    """The answers over the last window, sent every hop."""

    type: Literal["result"] = "result"
    start: float
    end: float
    speech: float = Field(description="net seconds of speech in the window")
    vad: bool = Field(default=False, description="WebRTC VAD calls the last frame speech")
    gate_open: bool = Field(default=False, description="the energy gate is open at the last frame")
    level_db: float = Field(default=-120.0, description="level of the last step, dB of full scale")
    snr_db: float | None = None
    lag_ms: float = Field(
        default=0.0, description="sending time less arrival time of the window's last sample"
    )


class UtteranceResult(ChannelMessageBase, Estimate):
    """The answers over one utterance, sent when it has ended."""

    type: Literal["utterance"] = "utterance"
    start: float
    end: float
    speech: float


class Configured(ServerMessageBase):
    """Answer to ``configure``: the options now in force."""

    type: Literal["configured"] = "configured"
    tasks: tuple[Task, ...]
    verify: tuple[str, ...]
    identify: bool


class Finalized(ServerMessageBase):
    """Answer to ``finalize``; ``time`` is the audio time up to which everything has been answered."""

    type: Literal["finalized"] = "finalized"
    time: float


class Notice(ServerMessageBase):
    """Something is amiss, the session goes on."""

    type: Literal["warning"] = "warning"
    code: str
    problem: str
    remedy: str
    channel: int | None = None
    count: int | None = None


class Error(ServerMessageBase):
    """A refusal; the socket closes after it."""

    type: Literal["error"] = "error"
    code: str
    problem: str
    remedy: str
    retry_after: float | None = None


class ChannelSummary(Estimate):
    """A whole session on one channel; ``emotion_thirds``: over its first, second and last third."""

    channel: int
    role: Role
    speech: float
    talk_share: float = Field(description="this channel's part of all net speech, 0 to 1")
    emotion_thirds: tuple[Emotion | None, ...] = ()
    speaker_changes: int = 0


class SessionEnded(ServerMessageBase):
    """Last message of an orderly session."""

    type: Literal["session.ended"] = "session.ended"
    id: str
    reason: str
    duration: float
    channels: tuple[ChannelSummary, ...]
    warnings: dict[str, int] = Field(default_factory=dict, description="how often each warning was given")


AnyServerMessage = (
    SessionStarted
    | SpeechStarted
    | SpeechEnded
    | SpeakerChanged
    | Result
    | UtteranceResult
    | Configured
    | Finalized
    | Notice
    | Error
    | SessionEnded
)
SERVER_MESSAGE: TypeAdapter[AnyServerMessage] = TypeAdapter(
    Annotated[AnyServerMessage, Field(discriminator="type")]
)
