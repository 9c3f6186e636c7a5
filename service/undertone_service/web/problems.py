"""Every refusal over REST in one form: ``Problem``, with its status."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.rest import Problem
from undertone_service.web.service import service_of

DOCUMENT = "See /v1/openapi.json for what this server answers."


def add_problem_handlers(app: FastAPI) -> None:
    """Make the app answer refusals, its own and the framework's, as ``Problem``."""

    @app.exception_handler(UndertoneError)
    async def refused(request: Request, error: UndertoneError) -> JSONResponse:
        return _answer(request, error, error.http_status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        refusal = _validation_refusal(error)
        return _answer(request, refusal, refusal.http_status)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return _answer(request, _http_refusal(request, error), error.status_code)

    @app.exception_handler(Exception)
    async def failed(request: Request, _error: Exception) -> JSONResponse:
        refusal = UndertoneError(
            ErrorCode.INTERNAL, "The server failed.", "Try again; if it fails again, its log says why."
        )
        return _answer(request, refusal, refusal.http_status)


def _answer(request: Request, error: UndertoneError, status: int) -> JSONResponse:
    service_of(request).metrics.refusals.labels(error.code.value).inc()
    body = Problem(
        code=error.code.value, problem=error.problem, remedy=error.remedy, retry_after=error.retry_after
    )
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body.model_dump(), status, headers)


def _validation_refusal(error: RequestValidationError) -> UndertoneError:
    """Turn the framework's list of faults into one refusal; what was sent is not repeated."""
    faults = error.errors()
    if any(tuple(fault["loc"][:2]) == ("body", "consent") for fault in faults):
        return UndertoneError(
            ErrorCode.CONSENT_MISSING,
            "The person's consent is not stated.",
            'Ask the person, then send "consent": {"given": true, "by": "<who recorded it, and how>"}.',
        )
    where = ".".join(str(part) for part in faults[0]["loc"])
    return UndertoneError(ErrorCode.BAD_REQUEST, f"{where}: {faults[0]['msg']}.", DOCUMENT)


def _http_refusal(request: Request, error: HTTPException) -> UndertoneError:
    if error.status_code == 413:
        return UndertoneError(ErrorCode.TOO_LARGE, f"{error.detail}", "Send less at once.")
    if error.status_code == 408:
        return UndertoneError(ErrorCode.IDLE, f"{error.detail}", "Send the body without such pauses.")
    if error.status_code == 404:
        return UndertoneError(ErrorCode.BAD_REQUEST, f"There is nothing at {request.url.path}.", DOCUMENT)
    return UndertoneError(ErrorCode.BAD_REQUEST, f"{error.detail}.", DOCUMENT)
