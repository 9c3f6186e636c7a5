"""``undertone serve``: what it refuses, and how it stops."""

import argparse
import asyncio
import socket
from pathlib import Path

import pytest

from tests.service.rest_fixtures import running_app
from undertone_service.commands import serve
from undertone_service.protocol.rest import SessionInfo
from undertone_service.settings import Settings


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.configure(parser)
    return parser.parse_args(words)


def test_a_taken_port_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(serve.StartError, match=rf"port {port} .* is taken.*--port"):
            serve.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_told_in_words() -> None:
    with pytest.raises(serve.StartError, match=r"cannot listen on 192\.0\.2\.1:0"):
        serve.listen("192.0.2.1", 0)


def test_without_keys_only_this_machine_may_connect(capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments("--host", "0.0.0.0")
    assert given.run(given) == 2
    assert "demands API keys" in capsys.readouterr().err


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("MAX_STREAMS", "many"), ("API_KEYS", "secret-that-is-no-json")):
        monkeypatch.setenv(f"UNDERTONE_{name}", value)
        given = arguments()
        assert given.run(given) == 2
        told = capsys.readouterr().err
        assert name in told.upper()
        assert "secret-that" not in told
        monkeypatch.delenv(f"UNDERTONE_{name}")


def test_both_runtimes_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"onnxruntime"}
    monkeypatch.setattr(serve, "is_installed", installed.__contains__)
    serve.refuse_two_runtimes()
    installed.add("onnxruntime-gpu")
    with pytest.raises(serve.StartError, match="both installed"):
        serve.refuse_two_runtimes()


def test_installed_distributions_are_found() -> None:
    assert serve.is_installed("undertone")
    assert not serve.is_installed("undertone-of-another-house")


async def test_draining_waits_for_live_sessions(tmp_path: Path) -> None:
    async with running_app(Settings(data_dir=tmp_path)) as app:
        service = app.state.service
        info = SessionInfo(id="s", state="live", started_at="", duration=0, channels=1, bundle="b")
        service.sessions.open("default", "s", info)
        draining = asyncio.create_task(serve.drain(service))
        await asyncio.sleep(0.02)
        assert service.draining.is_set()
        assert not draining.done()
        service.sessions.close("s")
        await asyncio.wait_for(draining, 1.0)
