"""Overload on real sockets: what is refused and how, and that who was there before hears no less."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conftest import run_server
from tests.service.session_fixtures import wire
from tests.service.sockets import Message, control, opened, receive, rest
from tests.voices import voice
from undertone_service.settings import Settings

MAX_LOAD = 0.09


@pytest.fixture
def small_url(bundle_folder: Path, tmp_path: Path) -> Iterator[str]:
    """A server that calls itself loaded as soon as it does anything to speak of."""
    yield from run_server(
        Settings(
            bundle_dirs=(bundle_folder,),
            default_bundle="tiny",
            data_dir=tmp_path,
            max_rate=1000.0,
            max_load=MAX_LOAD,
            max_step_delay=1000.0,
        )
    )


@pytest.fixture
async def http(small_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=small_url) as client:
        yield client


async def metric(http: httpx.AsyncClient, name: str) -> float:
    """Return the value of one series."""
    lines = (await http.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


async def until_status(http: httpx.AsyncClient, status: int) -> dict[str, Any]:
    """Wait until the server is as ready as the status says; return the answer."""
    async with asyncio.timeout(60):
        while (answer := await http.get("/readyz")).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    body: dict[str, Any] = answer.json()
    return body


async def test_measured_load_turns_new_streams_away_and_leaves_those_there_alone(
    small_url: str, http: httpx.AsyncClient
) -> None:
    assert (await until_status(http, 200)) == {**(await http.get("/healthz")).json(), "status": "ok"}
    second = wire(voice(1.0))
    count = 0

    async def talk() -> None:
        nonlocal count
        while True:
            await socket.send(second)
            count += 1
            await asyncio.sleep(0.02)

    async with opened(small_url) as socket:
        messages: list[Message] = [await receive(socket)]
        talking = asyncio.create_task(talk())
        reading = asyncio.create_task(rest(socket))
        told = await until_status(http, 503)
        assert told["status"] == "overloaded"
        assert "The load would be" in told["reason"]
        assert await metric(http, "undertone_load") > 0.5 * MAX_LOAD
        assert await metric(http, "undertone_ready") == 0
        with pytest.raises(InvalidStatus) as turned_away:
            async with opened(small_url):
                pass
        response = turned_away.value.response
        assert response.status_code == 503
        assert 5 <= int(response.headers["Retry-After"]) <= 15
        assert b'"overloaded"' in response.body
        assert await metric(http, 'undertone_streams_refused_total{reason="load"}') == 1
        assert await metric(http, 'undertone_refusals_total{code="overloaded"}') == 1
        talking.cancel()
        await control(socket, "close")
        more, code = await reading
    messages += more
    assert code == 1000
    results = [m["end"] for m in messages if m["type"] == "result"]
    np.testing.assert_allclose(results, np.arange(1, 2 * count + 1) * 0.5)
    assert messages[-1]["type"] == "session.ended"
    await until_status(http, 200)
    async with opened(small_url) as socket:
        assert (await receive(socket))["type"] == "session.started"


async def test_a_burst_of_connections_is_held_to_what_streams_are_expected_to_cost(
    small_url: str, http: httpx.AsyncClient
) -> None:
    await until_status(http, 200)
    over = asyncio.Event()

    async def outcome() -> str:
        try:
            async with opened(small_url) as socket:
                first = await receive(socket)
                if first["type"] == "session.started":
                    await over.wait()
                    return "taken"
                _, code = await rest(socket)
                assert first["retry_after"] >= 5
                return f"{first['code']} {code}"
        except InvalidStatus as turned_away:
            return str(turned_away.response.status_code)
        except ConnectionClosed as closed:
            return f"closed {closed}"

    attempts = [asyncio.create_task(outcome()) for _ in range(60)]
    async with asyncio.timeout(30):
        while sum(attempt.done() for attempt in attempts) < 40:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await metric(http, "undertone_streams") <= 15
    over.set()
    outcomes = Counter(await asyncio.gather(*attempts))
    assert 1 <= outcomes["taken"] <= 15  # 0.09 over the assumed 0.006
    assert set(outcomes) <= {"taken", "503", "overloaded 4013"}
    refused = await metric(http, 'undertone_streams_refused_total{reason="load"}')
    assert refused == outcomes["503"] + outcomes["overloaded 4013"]
