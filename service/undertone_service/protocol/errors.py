"""Typed errors: a code, what was wrong, what would be right; and how each ends a socket or a request."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every refusal that the service can give, on the socket and over REST."""

    BAD_REQUEST = "bad_request"
    BAD_MESSAGE = "bad_message"
    BAD_ORDER = "bad_order"
    BAD_AUDIO = "bad_audio"
    UNSUPPORTED_AUDIO = "unsupported_audio"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN_ORIGIN = "forbidden_origin"
    UNKNOWN_SPEAKER = "unknown_speaker"
    UNKNOWN_BUNDLE = "unknown_bundle"
    UNKNOWN_SESSION = "unknown_session"
    NEEDS_REENROLMENT = "needs_reenrolment"
    NOT_ENOUGH_SPEECH = "not_enough_speech"
    POOR_RECORDING = "poor_recording"
    RECORDINGS_DISAGREE = "recordings_disagree"
    CONSENT_MISSING = "consent_missing"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    IDLE = "idle"
    SESSION_LIMIT = "session_limit"
    OVERLOADED = "overloaded"
    TOO_FAST = "too_fast"
    SLOW_READER = "slow_reader"
    DRAINING = "draining"
    INTERNAL = "internal"


CLOSE_CODES: dict[ErrorCode, int] = {
    ErrorCode.UNAUTHORISED: 4001,
    ErrorCode.FORBIDDEN_ORIGIN: 4001,
    ErrorCode.UNKNOWN_SPEAKER: 4004,
    ErrorCode.UNKNOWN_BUNDLE: 4004,
    ErrorCode.NEEDS_REENROLMENT: 4004,
    ErrorCode.IDLE: 4008,
    ErrorCode.SLOW_READER: 4008,
    ErrorCode.SESSION_LIMIT: 4009,
    ErrorCode.OVERLOADED: 4013,
    ErrorCode.UNSUPPORTED_AUDIO: 4015,
    ErrorCode.TOO_FAST: 4029,
    ErrorCode.TOO_LARGE: 1009,
    ErrorCode.INTERNAL: 1011,
    ErrorCode.DRAINING: 1012,
}

HTTP_STATUSES: dict[ErrorCode, int] = {
    ErrorCode.UNAUTHORISED: 401,
    ErrorCode.FORBIDDEN_ORIGIN: 403,
    ErrorCode.UNKNOWN_SPEAKER: 404,
    ErrorCode.UNKNOWN_BUNDLE: 404,
    ErrorCode.UNKNOWN_SESSION: 404,
    ErrorCode.NEEDS_REENROLMENT: 409,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_AUDIO: 415,
    ErrorCode.BAD_AUDIO: 422,
    ErrorCode.NOT_ENOUGH_SPEECH: 422,
    ErrorCode.POOR_RECORDING: 422,
    ErrorCode.RECORDINGS_DISAGREE: 422,
    ErrorCode.CONSENT_MISSING: 422,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.DRAINING: 503,
    ErrorCode.INTERNAL: 500,
}


class UndertoneError(Exception):
    """A refusal with a reason.

    ``problem`` says what was wrong, ``remedy`` what would be right; both are shown to the caller, so
    neither may hold anything secret or biometric. ``retry_after`` is in seconds.
    """

    def __init__(
        self, code: ErrorCode, problem: str, remedy: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{problem} {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.retry_after = retry_after

    @property
    def close_code(self) -> int:
        """WebSocket close code that follows the in-band error (4000 unless listed)."""
        return CLOSE_CODES.get(self.code, 4000)

    @property
    def http_status(self) -> int:
        """HTTP status of the same refusal over REST (400 unless listed)."""
        return HTTP_STATUSES.get(self.code, 400)
