"""Turns a server's refusal, in whichever form it came, into an ``UndertoneError``."""

from pydantic import ValidationError

from undertone_service.protocol.errors import CLOSE_CODES, HTTP_STATUSES, ErrorCode, UndertoneError
from undertone_service.protocol.messages import Error
from undertone_service.protocol.rest import Problem


def refusal(told: Problem | Error) -> UndertoneError:
    """Return a typed refusal; a code that this client does not know yet becomes ``internal``."""
    known = told.code in tuple(ErrorCode)
    code = ErrorCode(told.code) if known else ErrorCode.INTERNAL
    return UndertoneError(code, told.problem, told.remedy, retry_after=told.retry_after)


def http_refusal(status: int, body: bytes, retry_after: str | None) -> UndertoneError:
    """Return the refusal in an HTTP answer, also where a proxy answered and the body is not ours."""
    try:
        return refusal(Problem.model_validate_json(body))
    except ValidationError:
        pass
    code = next((code for code, listed in HTTP_STATUSES.items() if listed == status), ErrorCode.BAD_REQUEST)
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return UndertoneError(
        ErrorCode.INTERNAL if status >= 500 and status != 503 else code,
        f"The server answered with HTTP status {status}.",
        "Check the address and the API key (UNDERTONE_URL, UNDERTONE_API_KEY).",
        retry_after=seconds,
    )


def close_refusal(close_code: int, reason: str) -> UndertoneError | None:
    """Return the refusal that a close code stands for where no message told it, None for a mere drop."""
    code = next((code for code, listed in CLOSE_CODES.items() if listed == close_code), None)
    if close_code == 4000:
        code = ErrorCode.BAD_REQUEST
    if code is None or code is ErrorCode.INTERNAL:  # 1011 also stands for a lost keepalive
        return None
    return UndertoneError(
        code,
        f"The server closed the connection with code {close_code}{f' ({reason})' if reason else ''}.",
        _REMEDIES.get(code, "See the error codes in the AsyncAPI document."),
    )


_REMEDIES = {
    ErrorCode.TOO_LARGE: "Send smaller messages: session.started tells the largest.",
    ErrorCode.DRAINING: "Connect again: another worker takes over.",
    ErrorCode.UNAUTHORISED: "Set UNDERTONE_API_KEY to a key that this server knows.",
}
