"""One WebSocket of the load, over the sans-I/O core of ``websockets``: ready-made frames out, text messages in.

The SDK's ``Stream`` costs a task, a lock and some buffers for each message, which is fine for one microphone; here
hundreds of streams share a core, and must not wait for each other.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import WebSocketURI

from undertone_client.refusals import http_refusal

_SWITCHING_PROTOCOLS = 101


class Listener(Protocol):
    """Who is told what comes in."""

    def hear(self, text: str) -> None:
        """Take a message."""

    def closed(self, reason: str) -> None:
        """Learn, once, that the connection has ended, and why."""


class LoadSocket(asyncio.Protocol):
    """Opens a session at ``uri`` once it is connected."""

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str], listener: Listener) -> None:
        self._protocol = ClientProtocol(uri)
        self._headers = headers
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []  # of a message in several frames
        self._refused = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = self._protocol.connect()
        request.headers.update(self._headers)
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes of any length; hand over the messages that they complete."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response) and event.status_code != _SWITCHING_PROTOCOLS:
                refused = http_refusal(event.status_code, bytes(event.body or b""), None)
                self._refused = f"refused: {refused.code}"
        self._flush()

    def eof_received(self) -> None:
        """Let the other side close."""
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why."""
        self._listener.closed(self._refused or f"closed with code {self._protocol.close_code or 1006}")

    def send_frame(self, frame: bytes) -> None:
        """Hand over a frame that has been made before."""
        if self._transport is not None:
            self._transport.write(frame)

    def send_text(self, text: str) -> None:
        """Send a message."""
        self._protocol.send_text(text.encode())
        self._flush()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            text = b"".join(self._parts).decode()
            self._parts.clear()
            self._listener.hear(text)

    def _flush(self) -> None:
        """Send what the protocol has to say; empty bytes stand for the end."""
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
