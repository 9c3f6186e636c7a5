"""SIGTERM to a real server: whom it tells what, how long it waits, and how it ends."""

import asyncio
import io
import signal
import time
from pathlib import Path

import httpx
import pytest
import soundfile
from websockets.exceptions import InvalidStatus

from tests.service.served import Served, served
from tests.service.session_fixtures import wire
from tests.service.sockets import control, opened, receive, rest, until
from tests.voices import voice


async def readiness(server: Served) -> tuple[int, str]:
    """Return the status and the state that ``/readyz`` tells."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/readyz")
        return answer.status_code, answer.json()["status"]


async def ended(server: Served, seconds: float) -> int:
    """Wait for the end of the process; return its exit status."""
    async with asyncio.timeout(seconds):
        return await asyncio.to_thread(server.process.wait)


async def test_a_call_goes_on_until_the_deadline_and_gets_its_last_results(
    bundle_folder: Path, tmp_path: Path
) -> None:
    with served(bundle_folder, tmp_path, drain_seconds=4) as server:
        async with opened(server.url, hop=0.5) as socket:
            await socket.send(wire(voice(1.0)))
            assert (await until(socket, "result"))[0]["type"] == "session.started"
            assert await readiness(server) == (200, "ok")
            server.process.send_signal(signal.SIGTERM)
            told, since = (await until(socket, "warning"))[-1], time.monotonic()
            assert told["code"] == "draining"
            assert "4 s" in told["problem"]
            assert "previous" in told["remedy"]

            assert await readiness(server) == (503, "draining")
            with pytest.raises(InvalidStatus) as turned_away:
                async with opened(server.url):
                    pass
            assert turned_away.value.response.status_code == 503
            assert turned_away.value.response.headers["Retry-After"] == "5"
            assert b'"draining"' in turned_away.value.response.body
            async with httpx.AsyncClient(base_url=server.url) as client:
                sound = io.BytesIO()
                soundfile.write(sound, voice(1.0), 16000, format="WAV")
                refused = await client.post("/v1/analyze", content=sound.getvalue())
                assert (refused.status_code, refused.json()["code"]) == (503, "draining")

            await socket.send(wire(voice(2.3)))  # the call goes on, and is still heard
            messages, code = await rest(socket)
            assert 2.0 < time.monotonic() - since < 10.0
        assert await ended(server, 30) == 0
    assert [m["end"] for m in messages if m["type"] == "result"][-1] == 3.0
    assert [m["type"] for m in messages[-4:]] == ["speech.ended", "utterance", "session.ended", "error"]
    assert messages[-3]["end"] == pytest.approx(3.3, abs=0.11)
    summary, error = messages[-2:]
    assert (summary["reason"], summary["duration"], error["code"], code) == (
        "draining",
        3.3,
        "draining",
        1012,
    )
    assert summary["warnings"] == {"draining": 1}
    assert not any("Traceback" in line for line in server.log), server.log


async def test_the_server_ends_with_its_last_call(bundle_folder: Path, tmp_path: Path) -> None:
    with served(bundle_folder, tmp_path, drain_seconds=600) as server:
        async with opened(server.url) as socket:
            await receive(socket)
            server.process.send_signal(signal.SIGTERM)
            await until(socket, "warning")
            await control(socket, "close")
            messages, code = await rest(socket)
        assert (messages[-1]["reason"], code) == ("closed by the client", 1000)
        assert await ended(server, 30) == 0


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
async def test_asked_twice_the_server_ends_at_once(
    bundle_folder: Path, tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    with served(bundle_folder, tmp_path, drain_seconds=600) as server:
        async with opened(server.url) as socket:
            await socket.send(wire(voice(1.0)))
            await until(socket, "result")
            server.process.send_signal(signals[0])
            await until(socket, "warning")
            server.process.send_signal(signals[1])
            _, code = await rest(socket)
        assert code in (1006, 1012)
        assert await ended(server, 30) == 1
    assert not any("Traceback" in line for line in server.log), server.log


async def test_a_server_without_calls_ends_at_once(bundle_folder: Path, tmp_path: Path) -> None:
    with served(bundle_folder, tmp_path, drain_seconds=600) as server:
        server.process.send_signal(signal.SIGTERM)
        assert await ended(server, 30) == 0
