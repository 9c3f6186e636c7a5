"""One live session on the native socket: audio and control go in, typed messages come out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from undertone_client.address import authorization, socket_url
from undertone_client.problems import ServerUnreachableError
from undertone_client.refusals import close_refusal, http_refusal, refusal
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Task
from undertone_service.protocol.messages import (
    SERVER_MESSAGE,
    AnyServerMessage,
    Close,
    Configure,
    Error,
    Finalize,
    Keepalive,
    SessionEnded,
    SessionStarted,
)
from undertone_service.protocol.options import Encoding, StreamOptions


@asynccontextmanager
async def connect(
    url: str | None = None, options: StreamOptions | None = None, api_key: str | None = None
) -> "AsyncIterator[Stream]":
    """Open a session and hold it until the block ends.

    Args:
        url: the server's http or ws address; absent: ``UNDERTONE_URL``, then http://127.0.0.1:8000.
        options: audio format and what is asked; absent: 16 kHz s16le mono, all tasks.
        api_key: absent: ``UNDERTONE_API_KEY``. It travels in a header, never in the address.

    Raises:
        UndertoneError: the server refused, with its reason.
        ServerUnreachableError: nothing answers there.
    """
    options = options or StreamOptions.from_query({})
    socket = await _open(socket_url(url, options.to_query()), authorization(api_key))
    try:
        yield await Stream.begin(socket, options.encoding)
    finally:  # an interrupt here is an ordinary goodbye to the server, not our failure
        await socket.close()


async def _open(address: str, headers: dict[str, str]) -> ClientConnection:
    try:
        # Audio does not deflate: compression would only cost time on both sides.
        return await open_socket(address, additional_headers=headers, compression=None)
    except InvalidStatus as answer:
        response = answer.response
        retry_after = response.headers.get("Retry-After")
        raise http_refusal(response.status_code, bytes(response.body or b""), retry_after) from None
    except (OSError, InvalidHandshake, EOFError) as error:
        raise unreachable(address.partition("?")[0], error) from error


def unreachable(address: str, error: Exception) -> ServerUnreachableError:
    """Return the problem of an address at which no Undertone server answers."""
    return ServerUnreachableError(
        f"No Undertone server answers at {address} ({error or type(error).__name__}).",
        "Start one with `undertone serve`, or name another with --url or UNDERTONE_URL.",
    )


class Stream:
    """An open session. Read its messages while sending: a client that never reads is closed.

    Reading is safe to cancel, and ends after ``session.ended``. Sending and reading may run in two tasks.
    """

    def __init__(self, socket: ClientConnection, encoding: Encoding, started: SessionStarted) -> None:
        self._socket = socket
        self._encoding = encoding
        self._over = False  # session.ended has been read
        self.started = started
        """The server's first message: session id, accepted format, model, limits, policy."""

    @classmethod
    async def begin(cls, socket: ClientConnection, encoding: Encoding) -> Self:
        """Wait for the server's first message."""
        message = await _receive(socket)
        if not isinstance(message, SessionStarted):
            raise UndertoneError(
                ErrorCode.BAD_ORDER,
                f"The server began with {message.type!r} instead of 'session.started'.",
                "Check that the address is that of an Undertone server of this version.",
            )
        return cls(socket, encoding, message)

    async def send(self, audio: bytes | NDArray[np.int16] | NDArray[np.floating]) -> None:
        """Send audio in the stream's format: bytes as they are, or samples [n] or [n, channels].

        Integer samples are s16, floating ones lie in [-1, 1]. Waits while the server is behind.

        Raises:
            UndertoneError: ``unsupported_audio`` where an array cannot be written in the stream's encoding.
            ServerUnreachableError: the connection has ended; reading tells why.
        """
        await self._send(audio if isinstance(audio, bytes) else encode(audio, self._encoding))

    async def configure(
        self,
        *,
        tasks: tuple[Task, ...] | None = None,
        verify: tuple[str, ...] | None = None,
        identify: bool | None = None,
    ) -> None:
        """Change what is asked; answered by ``configured``. What is None stays as it is."""
        await self._send(
            Configure(tasks=tasks, verify=verify, identify=identify).model_dump_json(exclude_none=True)
        )

    async def finalize(self) -> None:
        """End the open utterances now; answered by their ``utterance`` messages and ``finalized``."""
        await self._send(Finalize().model_dump_json())

    async def keepalive(self) -> None:
        """Hold the session open while no audio is sent."""
        await self._send(Keepalive().model_dump_json())

    async def close(self) -> None:
        """Ask for the end; read on until ``session.ended``, which carries the summary."""
        await self._send(Close().model_dump_json())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyServerMessage:
        """Return the server's next message.

        Raises:
            UndertoneError: the server's refusal, after which nothing follows.
            ServerUnreachableError: the connection dropped before the session ended.
        """
        if self._over:
            raise StopAsyncIteration
        message = await _receive(self._socket)
        self._over = isinstance(message, SessionEnded)
        return message

    async def _send(self, data: bytes | str) -> None:
        try:
            await self._socket.send(data)
        except ConnectionClosed as closed:
            raise _dropped(closed) from None


async def _receive(socket: ClientConnection) -> AnyServerMessage:
    """Return the next message of a type that this client knows; newer servers may send others."""
    while True:
        try:
            data = await socket.recv()
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            raise close_refusal(code, reason) or _dropped(closed) from None
        message = parse(data)
        if isinstance(message, Error):
            raise refusal(message)
        if message is not None:
            return message


def parse(data: str | bytes) -> AnyServerMessage | None:
    """Read one message of the server, None where its type is unknown.

    Raises:
        UndertoneError: ``bad_message`` where it is not one of this protocol.
    """
    try:
        return SERVER_MESSAGE.validate_json(data)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "union_tag_invalid":
            return None
        raise UndertoneError(
            ErrorCode.BAD_MESSAGE,
            "The server sent a message that this client cannot read.",
            "Check that client and server are of the same version, and that no proxy stands between.",
        ) from None


def _dropped(closed: ConnectionClosed) -> ServerUnreachableError:
    code = closed.rcvd.code if closed.rcvd else 1006
    return ServerUnreachableError(
        f"The connection was lost before the session ended (close code {code}).",
        "Connect again as a new session that names this one as its `previous`.",
    )


def encode(samples: NDArray[np.int16] | NDArray[np.floating], encoding: Encoding) -> bytes:
    """Write samples [n] or [n, channels] in s16le or f32le; s16le clips floating ones to [-1, 1]."""
    is_float = np.issubdtype(samples.dtype, np.floating)
    if encoding is Encoding.S16LE and samples.dtype == np.int16:
        return samples.astype("<i2").tobytes()
    if encoding is Encoding.S16LE and is_float:
        return bytes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())
    if encoding is Encoding.F32LE and is_float:
        return samples.astype("<f4").tobytes()
    raise UndertoneError(
        ErrorCode.UNSUPPORTED_AUDIO,
        f"Samples of type {samples.dtype} cannot be written as {encoding.value}.",
        "Send int16 or floating samples on s16le, floating ones on f32le, and bytes on the other encodings.",
    )
