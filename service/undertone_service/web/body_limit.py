"""Bounds on the body of a request: its size, counted while it arrives, and the sender's pauses."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware; a body over ``max_bytes`` is 413, a pause over ``idle_timeout`` seconds 408."""

    def __init__(self, app: ASGIApp, max_bytes: int, idle_timeout: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._idle_timeout = idle_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its ``receive`` bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        received = int(announced) if announced.isdigit() and int(announced) > self._max_bytes else 0
        complete = False

        async def bounded() -> Message:
            nonlocal received, complete
            if received > self._max_bytes:
                raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes.")
            if complete:  # what follows is the wait for the other side to go
                return await receive()
            try:
                async with asyncio.timeout(self._idle_timeout):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"Nothing came for {self._idle_timeout:g} s.") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._max_bytes:
                raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes.")
            return message

        await self._app(scope, bounded, send)
