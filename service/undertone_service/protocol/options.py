"""What a client asks of a stream: the query parameters of ``/v1/stream``."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role, Task

STEP_SECONDS = 0.1
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8000, 48000


class Encoding(StrEnum):
    """How samples are written on the wire (multi-byte ones little-endian)."""

    S16LE = "s16le"
    F32LE = "f32le"
    MULAW = "mulaw"
    ALAW = "alaw"

    @property
    def bytes_per_sample(self) -> int:
        """Bytes that one sample of one channel takes."""
        return {"s16le": 2, "f32le": 4, "mulaw": 1, "alaw": 1}[self.value]


def _split(value: object) -> object:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


class AudioFormat(BaseModel):
    """Format of the binary frames; two channels are interleaved."""

    model_config = ConfigDict(frozen=True)

    sample_rate: int = Field(
        default=16000, ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE, description="samples a second"
    )
    encoding: Encoding = Encoding.S16LE
    channels: int = Field(default=1, ge=1, le=2)

    @property
    def bytes_per_second(self) -> int:
        """Bytes that one second of all channels takes."""
        return self.sample_rate * self.channels * self.encoding.bytes_per_sample


class StreamOptions(AudioFormat):
    """Everything that a client may ask for when it opens a stream. Unknown parameters are ignored."""

    roles: Annotated[tuple[Role, ...], BeforeValidator(_split)] = Field(
        default=(), description="role of each channel, comma separated; empty: unknown"
    )
    window: float = Field(default=3.0, ge=0.5, le=30.0, description="seconds that a result speaks of")
    hop: float = Field(default=0.5, ge=STEP_SECONDS, le=30.0, description="seconds between results")
    tasks: Annotated[tuple[Task, ...], BeforeValidator(_split)] = Field(
        default=tuple(Task), description="comma separated; all by default"
    )
    verify: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="<role or channel>:<speaker id>, or <speaker id> on a mono stream; comma separated",
    )
    identify: bool = Field(default=False, description="also search all enrolled voices")
    bundle: str | None = Field(
        default=None, max_length=100, description="name of the model; absent: the default"
    )
    previous: str | None = Field(default=None, max_length=64, description="session that this one continues")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("window", "hop"):
            seconds: float = getattr(self, name)
            if abs(seconds / STEP_SECONDS - round(seconds / STEP_SECONDS)) > 1e-6:
                raise ValueError(f"{name}: {seconds} s is not a whole number of steps of {STEP_SECONDS} s")
        if self.hop > self.window:
            raise ValueError(f"hop: {self.hop} s is longer than the window of {self.window} s")
        if self.roles and len(self.roles) != self.channels:
            raise ValueError(f"roles: {len(self.roles)} given for {self.channels} channel(s)")
        self.claims()
        return self

    def role(self, channel: int) -> Role:
        """Role of a channel, ``unknown`` where none was given."""
        return self.roles[channel] if self.roles else Role.UNKNOWN

    def claims(self) -> dict[int, str]:
        """Return the claimed speaker id of each channel that has one, from ``verify``."""
        claims: dict[int, str] = {}
        for entry in self.verify:
            where, separator, speaker = entry.rpartition(":")
            channel = self._claimed_channel(where) if separator else 0
            if not separator and self.channels > 1:
                raise ValueError(f"verify: {entry!r} names no channel; write <role or channel>:<speaker id>")
            if channel in claims:
                raise ValueError(f"verify: channel {channel} is claimed twice")
            if not speaker:
                raise ValueError(f"verify: {entry!r} names no speaker")
            claims[channel] = speaker
        return claims

    def _claimed_channel(self, where: str) -> int:
        if where in ("0", "1") and int(where) < self.channels:
            return int(where)
        if where in tuple(self.roles):
            return self.roles.index(Role(where))
        raise ValueError(f"verify: no channel {where!r} in a stream of {self.channels} channel(s)")

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Read the options from query parameters.

        Raises:
            UndertoneError: ``unsupported_audio`` where the audio format is at fault, else ``bad_request``.
        """
        try:
            return cls.model_validate({k: v for k, v in query.items() if k in cls.model_fields})
        except ValidationError as error:
            raise options_error(error) from None

    def to_query(self) -> dict[str, str]:
        """Write the options that were given as query parameters: a given default may not be that of the bundle."""
        values = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return {k: ",".join(v) if isinstance(v, list) else str(v) for k, v in values.items()}


def options_error(error: ValidationError) -> UndertoneError:
    """Turn pydantic's list of faults into one typed refusal."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    fault = first["msg"].removeprefix(
        "Value error, "
    )  # pydantic's word for our own faults, which name the field
    problem = f"{name}: {fault}." if name else f"{fault}."
    if name in AudioFormat.model_fields:
        remedy = (
            f"Send s16le, f32le, mulaw or alaw at {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz, 1 or 2 channels."
        )
        return UndertoneError(ErrorCode.UNSUPPORTED_AUDIO, problem, remedy)
    remedy = "See the query parameters in the AsyncAPI document."
    return UndertoneError(ErrorCode.BAD_REQUEST, problem, remedy)
