"""How the socket refuses: before the upgrade in HTTP, after it in-band and with a close code."""

from fastapi import WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Error
from undertone_service.protocol.rest import Problem
from undertone_service.settings import Settings

_RECONNECT = 5.0
"""Seconds after which a client may try again where a server stops; another one may answer at once."""


async def deny(socket: WebSocket, error: UndertoneError) -> None:
    """Refuse before the upgrade, in HTTP."""
    problem = Problem(
        code=error.code, problem=error.problem, remedy=error.remedy, retry_after=error.retry_after
    )
    headers = {"Retry-After": str(round(error.retry_after or 0))}
    await socket.send_denial_response(
        JSONResponse(problem.model_dump(), status_code=error.http_status, headers=headers)
    )


async def refuse(socket: WebSocket, error: UndertoneError) -> None:
    """Refuse after the upgrade: the error in-band, then its close code."""
    try:
        await socket.send_text(error_message(error).model_dump_json())
        await socket.close(error.close_code)
    except (WebSocketDisconnect, RuntimeError):
        return


def error_message(error: UndertoneError) -> Error:
    """Return the in-band message of a refusal."""
    return Error(code=error.code, problem=error.problem, remedy=error.remedy, retry_after=error.retry_after)


def draining() -> UndertoneError:
    """The server is about to stop."""
    problem = "This server is about to stop."
    return UndertoneError(ErrorCode.DRAINING, problem, "Connect again.", retry_after=_RECONNECT)


def idle(settings: Settings) -> UndertoneError:
    """The client has sent nothing for too long."""
    problem = f"Nothing was received for {settings.idle_timeout:g} s."
    return UndertoneError(ErrorCode.IDLE, problem, "Send audio, or keepalive messages while there is none.")


def session_limit(settings: Settings) -> UndertoneError:
    """The session has lasted as long as one may."""
    problem = f"A session lasts {settings.max_session:g} s at most."
    return UndertoneError(
        ErrorCode.SESSION_LIMIT, problem, "Open a new session that names this one as `previous`."
    )


def too_large(settings: Settings) -> UndertoneError:
    """A message is longer than allowed."""
    problem = f"A message was longer than {settings.max_message_bytes} bytes."
    return UndertoneError(ErrorCode.TOO_LARGE, problem, "Send audio in messages of 20 to 100 ms.")


def slow_reader(settings: Settings) -> UndertoneError:
    """The client does not read."""
    problem = f"Nothing could be sent for {settings.send_timeout:g} s."
    return UndertoneError(ErrorCode.SLOW_READER, problem, "Read what the server sends.")
