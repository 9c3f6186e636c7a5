"""A client that stops reading, on a real server: its results are thinned, then it is let go, and nothing is left."""

import asyncio
import socket as sockets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from websockets.asyncio.client import connect

from tests.service.served import Served, served
from tests.service.session_fixtures import wire
from tests.service.sockets import address, control, opened, receive, rest
from tests.voices import conversation
from undertone_service.protocol.options import Encoding

MINUTE = wire(np.zeros((8000 * 60, 2), np.float32), Encoding.MULAW)
"""Of silence on two telephone channels: 1,200 results at a hop of 0.1 s."""


def unread(server: Served) -> Any:
    """Open a session over a connection whose client takes in little."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    raw.setblocking(False)
    where = address(server.url, encoding="mulaw", sample_rate=8000, channels=2, hop=0.1, window=0.5)
    return connect(where, sock=raw, compression=None, max_queue=1, ping_interval=None, close_timeout=0.1)


async def metric(server: Served, name: str) -> float:
    """Return the value of one series; 0 where it has not begun."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return float(next((line for line in lines if line.startswith(f"{name} ")), "0").rpartition(" ")[2])


async def until_true(holds: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 (another process does not tell)
            await asyncio.sleep(0.1)


def connected(server: Served, port: int) -> bool:
    """Whether the server still holds the connection from a port, in whatever state."""
    held = psutil.Process(server.process.pid).net_connections("tcp")
    return any(c.raddr and c.raddr.port == port for c in held)


async def test_a_client_that_never_reads_again_is_let_go_and_its_connection_too(
    bundle_folder: Path, tmp_path: Path
) -> None:
    with served(
        bundle_folder, tmp_path, send_timeout=2, max_rate=1000, max_load=1000, max_step_delay=1000
    ) as server:
        async with opened(server.url) as beside:
            assert (await receive(beside))["type"] == "session.started"
            socket = await unread(server)
            port = socket.local_address[1]
            assert connected(server, port)

            async def talk() -> None:
                while True:
                    await socket.send(MINUTE)

            talking = asyncio.create_task(talk())
            await until_true(lambda: ended(server), 60)
            assert await metric(server, 'undertone_refusals_total{code="slow_reader"}') == 1
            assert await metric(server, "undertone_results_thinned_total") > 0
            await until_true(lambda: asyncio.sleep(0, not connected(server, port)), 20)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            await beside.send(wire(conversation()))
            await control(beside, "close")
            messages, code = await rest(beside)
        assert code == 1000
        assert sum(m["type"] == "result" for m in messages) == 17
        socket.transport.abort()


async def ended(server: Served) -> bool:
    return await metric(server, "undertone_streams") == 1


async def test_a_client_that_reads_slowly_gets_fewer_results_and_its_end(
    bundle_folder: Path, tmp_path: Path
) -> None:
    with served(
        bundle_folder, tmp_path, send_timeout=20, max_rate=1000, max_load=1000, max_step_delay=1000
    ) as server:
        async with unread(server) as socket:
            for _ in range(4):
                await socket.send(MINUTE)
            await until_true(lambda: thinned(server), 60)
            await control(socket, "close")
            messages, code = await rest(socket)
    assert code == 1000
    warnings = [m for m in messages if m["type"] == "warning"]
    assert {m["code"] for m in warnings} == {"thinned"}
    dropped = sum(m["count"] for m in warnings)
    assert sum(m["type"] == "result" for m in messages) + dropped == 4 * 1200
    assert messages[-1]["type"] == "session.ended"
    assert messages[-1]["warnings"]["thinned"] == dropped


async def thinned(server: Served) -> bool:
    return await metric(server, "undertone_results_thinned_total") > 0
