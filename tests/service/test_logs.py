"""Logs: JSON lines that name the session and the call, and never a query string."""

import json
import logging
from collections.abc import Iterator

import pytest

from undertone_service.logs import configure_logs, log_context


@pytest.fixture(autouse=True)
def restore_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_names_session_and_call(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    with log_context(session="s1", call="c1"):
        logging.getLogger("undertone").info("within\nthe block")
    logging.getLogger("undertone").warning("outside")
    logging.getLogger("undertone").debug("too little to be said")
    inside, outside = lines(capsys)
    assert (inside["session"], inside["call"], inside["message"]) == ("s1", "c1", "within\nthe block")
    assert outside["level"] == "warning"
    assert "session" not in outside


def test_uvicorn_logs_in_the_same_form_without_the_query(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    access = '%s - "%s %s HTTP/%s" %d'
    logging.getLogger("uvicorn.access").info(
        access, "127.0.0.1:9", "GET", "/v1/stream?key=secret", "1.1", 200
    )
    logging.getLogger("uvicorn.error").info(
        '%s - "WebSocket %s" [accepted]', "127.0.0.1:9", "/v1/stream?key=secret"
    )
    told = lines(capsys)
    assert [line["logger"] for line in told] == ["uvicorn.access", "uvicorn.error"]
    assert all("/v1/stream" in line["message"] and "secret" not in line["message"] for line in told)


def test_an_exception_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("undertone").exception("it failed")
    (line,) = lines(capsys)
    assert "RuntimeError: broken" in line["exception"]
