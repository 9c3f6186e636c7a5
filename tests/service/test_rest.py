"""The rest of REST: analysis, models, sessions, operations, limits, pages, and the form of every refusal."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.service.rest_fixtures import LOCAL, file_of, running_app, running_with, tone
from tests.service.test_speakers import client_of, refusal
from undertone_service.commands.serve import listen
from undertone_service.protocol.rest import SessionInfo
from undertone_service.settings import Settings
from undertone_service.web.app import create_app
from undertone_service.workload import Batch

SPEECH = tone(300.0, 2.0)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    settings = Settings(
        data_dir=tmp_path,
        max_upload_bytes=200_000,
        max_upload_seconds=10,
        max_uploads=1,
        idle_timeout=0.2,
        allowed_origins=("https://page.example",),
    )
    async with running_app(settings) as app:
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def test_analysis_of_raw_bodies_and_forms(client: httpx.AsyncClient) -> None:
    stereo = file_of(np.stack([SPEECH, SPEECH], axis=1))
    raw = await client.post("/v1/analyze", content=stereo, params={"roles": "customer,agent"})
    assert [channel["role"] for channel in raw.json()["channels"]] == ["customer", "agent"]
    form = await client.post("/v1/analyze", files={"file": ("a.wav", stereo)})
    assert form.json()["duration"] == 2.0


async def test_analysis_refuses_what_does_not_fit(client: httpx.AsyncClient) -> None:
    mono = file_of(SPEECH)
    refusal(
        await client.post("/v1/analyze", content=mono, params={"roles": "agent,agent"}), 400, "bad_request"
    )
    refusal(await client.post("/v1/analyze", content=mono, params={"roles": "boss"}), 400, "bad_request")
    refusal(await client.post("/v1/analyze", content=mono, params={"bundle": "x"}), 404, "unknown_bundle")
    refusal(await client.post("/v1/analyze", content=b"text"), 422, "bad_audio")
    refusal(await client.post("/v1/analyze", content=file_of(SPEECH, kind="AIFF")), 415, "unsupported_audio")
    refusal(await client.post("/v1/analyze", files={"other": ("a.wav", mono)}), 400, "bad_request")
    refusal(await client.post("/v1/analyze", data={"file": "a field, no file"}), 422, "bad_audio")
    broken = {"content-type": "multipart/form-data; boundary=x"}
    refusal(await client.post("/v1/analyze", content=b"--y\r\n", headers=broken), 400, "bad_request")
    long = file_of(np.zeros(16000 * 11, np.float32), kind="FLAC")
    refusal(await client.post("/v1/analyze", content=long), 413, "too_large")


async def test_a_body_is_bounded_announced_or_not(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    for path in ("/v1/analyze", "/v1/speakers"):
        refusal(await client.post(path, content=bytes(200_001)), 413, "too_large")
        refusal(await client.post(path, content=pieces()), 413, "too_large")
    refusal(await client.post("/v1/analyze", files={"file": ("a.wav", bytes(200_001))}), 413, "too_large")


async def test_a_sender_that_pauses_gives_its_place_back_and_meanwhile_others_are_told(
    client: httpx.AsyncClient,
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"RIFF"
        await asyncio.sleep(1.0)
        yield b"never"

    pausing = asyncio.create_task(client.post("/v1/analyze", content=slow()))
    await asyncio.sleep(0.05)
    told = await client.post("/v1/analyze", content=file_of(SPEECH))
    refusal(told, 503, "overloaded")
    assert told.headers["Retry-After"] == "5"
    refusal(await pausing, 408, "idle")
    assert (await client.post("/v1/analyze", content=file_of(SPEECH))).status_code == 200


async def test_models_say_what_the_weights_may_be_used_for(client: httpx.AsyncClient) -> None:
    (model,) = (await client.get("/v1/models")).json()["models"]
    assert (model["name"], model["default"]) == ("pitch", True)
    assert (model["licence"], model["notice"]) == ("CC-BY-NC-4.0", "For research only.")


async def test_a_session_can_be_followed(app: FastAPI, client: httpx.AsyncClient) -> None:
    registry = app.state.service.sessions
    info = SessionInfo(id="s1", state="live", started_at="now", duration=0, channels=1, bundle="pitch")
    registry.open("default", "s1", info)
    registry.publish("s1", '{"type":"session.started"}')
    assert (await client.get("/v1/sessions/s1")).json()["state"] == "live"
    following = asyncio.create_task(client.get("/v1/sessions/s1/events"))
    await asyncio.sleep(0.05)
    registry.publish("s1", '{"type":"session.ended"}')
    registry.close("s1")
    events = await following
    assert events.headers["content-type"].startswith("text/event-stream")
    last = 'id: 1\ndata: {"type":"session.ended"}\n\n'
    assert events.text == 'id: 0\ndata: {"type":"session.started"}\n\n' + last
    assert (await client.get("/v1/sessions/s1/events", headers={"Last-Event-ID": "0"})).text == last
    assert (await client.get("/v1/sessions/s1")).json()["state"] == "ended"
    for path in ("/v1/sessions/none", "/v1/sessions/none/events"):
        refusal(await client.get(path), 404, "unknown_session")


async def test_health_readiness_and_metrics(app: FastAPI, client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["status"] == "ok"
    assert (await client.get("/readyz")).status_code == 200
    await client.get("/v1/speakers/nobody")
    app.state.service.metrics.ran(Batch(3, 0.25, ()))
    counted = (await client.get("/metrics")).text
    assert 'undertone_refusals_total{code="unknown_speaker"} 1.0' in counted
    assert "undertone_steps_total 3.0" in counted
    assert "undertone_engine_busy_seconds_total 0.25" in counted
    app.state.service.draining.set()
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    assert (await client.get("/healthz")).status_code == 200


async def test_pages_of_other_hosts_are_refused_and_named_ones_are_not(client: httpx.AsyncClient) -> None:
    foreign = await client.get("/v1/speakers", headers={"Origin": "https://evil.example"})
    refusal(foreign, 403, "forbidden_origin")
    assert "access-control-allow-origin" not in foreign.headers
    rebound = await client.get(
        "/v1/speakers", headers={"Host": "evil.example", "Origin": "http://evil.example"}
    )
    refusal(rebound, 403, "forbidden_origin")
    assert (await client.get("/v1/speakers", headers={"Origin": LOCAL})).status_code == 200
    named = await client.get("/v1/speakers", headers={"Origin": "https://page.example"})
    assert named.headers["access-control-allow-origin"] == "https://page.example"


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/speakers/nobody"):
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "microphone=(self)" in headers["Permissions-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_not_there_is_refused_in_the_same_form(client: httpx.AsyncClient) -> None:
    refusal(await client.get("/v1/nothing"), 404, "bad_request")
    refusal(await client.put("/v1/speakers"), 405, "bad_request")


async def test_our_own_faults_are_told_without_details(app: FastAPI) -> None:
    async def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a secret detail")

    app.state.service.analyzer.voice = broken
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as client:
        failed = await client.post("/v1/identify", content=file_of(SPEECH))
    refusal(failed, 500, "internal")
    assert "secret" not in failed.text


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A real server on a real port."""
    app = create_app(Settings(data_dir=tmp_path), running_with())
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_hundred_megabytes_are_refused_while_the_server_goes_on(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        refusal(client.post("/v1/analyze", content=bytes(100_000_000)), 413, "too_large")
        assert client.get("/healthz").status_code == 200


def test_a_socket_to_nowhere_is_refused(address: str) -> None:
    with pytest.raises(InvalidStatus, match="403"), connect(f"{address.replace('http', 'ws')}/nowhere"):
        pass
    assert httpx.get(f"{address}/healthz").status_code == 200


def test_kill_9_after_a_201_loses_nothing(tmp_path: Path) -> None:
    def serve() -> tuple[subprocess.Popen[str], httpx.Client]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, httpx.Client(base_url=f"http://127.0.0.1:{process.stdout.readline().strip()}")

    process, client = serve()
    with process, client:
        body = {"id": "ann", "name": "Ann", "consent": {"given": True, "by": "a form"}}
        assert client.post("/v1/speakers", json=body).status_code == 201
        added = client.post("/v1/speakers/ann/enrollments", content=file_of(SPEECH))
        process.kill()
        assert added.status_code == 201
    process, client = serve()
    with process, client:
        kept = client.get("/v1/speakers/ann").json()
        process.kill()
    assert (kept["enrollments"], kept["speech"]) == (1, 2.0)


SERVER = """
import sys
from pathlib import Path
import uvicorn
from tests.service.rest_fixtures import running_with
from undertone_service.commands.serve import listen
from undertone_service.settings import Settings
from undertone_service.web.app import create_app
from undertone_service.workload import Batch

listener = listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
app = create_app(Settings(data_dir=Path(sys.argv[1])), running_with())
uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])
"""
