"""Logs as JSON lines on standard output, each with the session and call it belongs to.

Nothing biometric and no key is ever logged; query strings are cut off, since a key put there by mistake
must not end in a file.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_session: ContextVar[str | None] = ContextVar("session", default=None)
_call: ContextVar[str | None] = ContextVar("call", default=None)


@contextmanager
def log_context(*, session: str, call: str | None = None) -> Iterator[None]:
    """Name the session, and the call where there is one, in every line logged within the block."""
    session_token, call_token = _session.set(session), _call.set(call)
    try:
        yield
    finally:
        _session.reset(session_token)
        _call.reset(call_token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, session, call, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "session": _session.get(),
            "call": _call.get(),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps(
            {key: value for key, value in line.items() if value is not None}, ensure_ascii=False
        )


def cut_query(record: logging.LogRecord) -> bool:
    """Filter for uvicorn's loggers: cut the query off every path among the arguments."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            argument.partition("?")[0] if isinstance(argument, str) and argument.startswith("/") else argument
            for argument in record.args
        )
    return True


def configure_logs(level: str) -> None:
    """Send all logs, uvicorn's included, to standard output from the given level up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(cut_query)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # Their debug lines hold requests with headers (keys), SQL with its values (voiceprints).
    for name in ("websockets", "aiosqlite", "sqlalchemy", "alembic", "python_multipart"):
        logging.getLogger(name).setLevel(logging.WARNING)
