"""The TLS proxy as it is shipped, in front of a real server: streams and events pass through it as they come."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.deploy.files import DEPLOY
from tests.service.session_fixtures import wire
from tests.service.sockets import control, receive, rest
from tests.voices import voice

CADDY = shutil.which("caddy", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
pytestmark = pytest.mark.skipif(CADDY is None, reason="no caddy for this machine")


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its address, and how to trust it."""

    host: str
    trust: ssl.SSLContext


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def proxy(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The shipped Caddyfile, on a port of this machine, with a certificate of Caddy's own authority."""
    folder = tmp_path_factory.mktemp("caddy")
    host = f"localhost:{free_port()}"
    # What a test must not do: change this machine's trust store, listen on ports 80 and 2019.
    start = (
        "{\n\tskip_install_trust\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n"
    )
    (folder / "Caddyfile").write_text(f"{start}import {DEPLOY / 'caddy' / 'Caddyfile'}\n")
    environment = os.environ | {
        "PUBLIC_HOST": host,
        "UPSTREAM": server_url.removeprefix("http://"),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(CADDY), "run", "--config", "Caddyfile"], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            until = time.monotonic() + 60
            while not (authority.exists() and _answers(host, authority)):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.1)
            yield Proxy(host, ssl.create_default_context(cafile=str(authority)))
        finally:
            process.kill()
            process.wait()


def _answers(host: str, authority: Path) -> bool:
    try:
        trust = ssl.create_default_context(cafile=str(authority))
        return httpx.get(f"https://{host}/healthz", verify=trust).status_code == 200
    except (httpx.HTTPError, OSError):
        return False


async def test_a_stream_and_its_events_pass_while_they_happen(proxy: Proxy) -> None:
    async with (
        connect(f"wss://{proxy.host}/v1/stream?hop=0.5", ssl=proxy.trust, compression=None) as stream,
        httpx.AsyncClient(base_url=f"https://{proxy.host}", verify=proxy.trust) as client,
        asyncio.timeout(30),
    ):
        started = await receive(stream)
        async with client.stream("GET", f"/v1/sessions/{started['id']}/events") as events:
            lines = (line async for line in events.aiter_lines() if line.startswith("data: "))
            assert started["id"] in await anext(lines)
            await stream.send(wire(voice(0.7)))
            heard = await receive(stream)
            assert f'"{heard["type"]}"' in await anext(lines)  # at once, and not when a buffer is full
            await control(stream, "close")
            messages, code = await rest(stream)
            ended = [line async for line in lines][-1]
    assert (messages[-1]["type"], code) == ("session.ended", 1000)
    assert '"session.ended"' in ended


async def test_a_refusal_passes_as_it_is(proxy: Proxy) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"wss://{proxy.host}/v1/nothing", ssl=proxy.trust):
            pass
    assert refused.value.response.status_code in (403, 404)


async def test_metrics_and_readiness_are_not_for_the_world(proxy: Proxy) -> None:
    async with httpx.AsyncClient(base_url=f"https://{proxy.host}", verify=proxy.trust) as client:
        assert (await client.get("/healthz")).status_code == 200
        for path in ("/metrics", "/readyz"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/v1/models")).status_code == 200
