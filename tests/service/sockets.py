"""A plain client on a real socket: what is sent is exactly what the test says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Message = dict[str, Any]


def address(url: str, **query: object) -> str:
    """Return the socket's address on a server at an http address."""
    return f"{url.replace('http', 'ws', 1)}/v1/stream?{urlencode(query)}"


@asynccontextmanager
async def opened(url: str, **query: object) -> AsyncIterator[ClientConnection]:
    """Open a session."""
    async with connect(address(url, **query), compression=None, close_timeout=5) as socket:
        yield socket


async def control(socket: ClientConnection, kind: str, **fields: Any) -> None:
    """Send a control message."""
    await socket.send(json.dumps({"type": kind, **fields}))


async def receive(socket: ClientConnection) -> Message:
    """Return the next message."""
    message: Message = json.loads(await socket.recv())
    return message


async def until(socket: ClientConnection, kind: str) -> list[Message]:
    """Return the messages up to the first of a type."""
    messages = [await receive(socket)]
    while messages[-1]["type"] != kind:
        messages.append(await receive(socket))
    return messages


async def rest(socket: ClientConnection) -> tuple[list[Message], int]:
    """Return all messages until the socket closes, and the close code."""
    messages = []
    try:
        while True:
            messages.append(await receive(socket))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd else 1006
