import asyncio
import socket as sockets
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

import undertone_client
from tests.client.peer import RESULT, asked, ended, listen, peer, say, started
from undertone_client.stream import encode
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Task
from undertone_service.protocol.messages import Error, Result, SessionEnded
from undertone_service.protocol.options import Encoding, StreamOptions


async def test_audio_and_control_go_in_and_typed_messages_come_out() -> None:
    heard: list[Any] = []

    async def script(socket: ServerConnection) -> None:
        heard.append(asked(socket))
        await say(socket, started(socket), RESULT)
        audio, controls = await listen(socket)
        heard.extend([audio, controls])
        await say(socket, ended())

    options = StreamOptions.from_query({"sample_rate": "8000", "verify": "ann", "identify": "1"})
    async with peer(script) as url, undertone_client.connect(url, options) as stream:
        assert stream.started.id == "s1"
        await stream.send(b"\x01\x00")
        await stream.send(np.array([2, -3], np.int16))
        await stream.send(np.array([0.5, 2.0], np.float32))
        await stream.configure(tasks=(Task.AGE,), verify=())
        await stream.finalize()
        await stream.keepalive()
        await stream.close()
        spoken = [message async for message in stream]
    assert heard[0] == options
    assert np.frombuffer(heard[1], "<i2").tolist() == [1, 2, -3, 16384, 32767]
    assert heard[2] == [
        {"type": "configure", "tasks": ["age"], "verify": []},
        {"type": "finalize"},
        {"type": "keepalive"},
        {"type": "close"},
    ]
    assert [type(message) for message in spoken] == [Result, SessionEnded]
    assert spoken[0] == RESULT


async def test_the_key_travels_in_a_header_and_never_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []

    async def script(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request)
        await say(socket, started(socket))
        await socket.wait_closed()

    async with peer(script) as url:
        async with undertone_client.connect(url, api_key="s3cret"):
            pass
        monkeypatch.setenv("UNDERTONE_API_KEY", "fr0m-env")
        monkeypatch.setenv("UNDERTONE_URL", url.replace("ws://", "http://"))
        async with undertone_client.connect():
            pass
    assert [request.headers["Authorization"] for request in seen] == ["Bearer s3cret", "Bearer fr0m-env"]
    assert all(request.path == "/v1/stream" for request in seen)


async def test_a_refusal_in_band_is_raised_with_its_code() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        error = Error(code="overloaded", problem="Full.", remedy="Come back later.", retry_after=3.0)
        await say(socket, error)
        await socket.close(4013)

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(UndertoneError, match=r"Full\. Come back later\.") as refused:
            await anext(stream)
    assert refused.value.code is ErrorCode.OVERLOADED
    assert refused.value.retry_after == 3.0


async def test_a_refusal_instead_of_the_first_message_is_raised_by_connect() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, Error(code="unknown_speaker", problem="No bob.", remedy="Enrol bob."))

    async with peer(script) as url:
        with pytest.raises(UndertoneError) as refused:
            async with undertone_client.connect(url):
                pytest.fail("a refused session was opened")
    assert refused.value.code is ErrorCode.UNKNOWN_SPEAKER


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, b"busy", ErrorCode.OVERLOADED),
        (401, b'{"code":"unauthorised","problem":"No key.","remedy":"Give one."}', ErrorCode.UNAUTHORISED),
        (403, b"", ErrorCode.FORBIDDEN_ORIGIN),
        (502, b"<html>", ErrorCode.INTERNAL),
        (404, b"{}", ErrorCode.UNKNOWN_SPEAKER),
    ],
)
async def test_a_refusal_before_the_upgrade(status: int, body: bytes, code: ErrorCode) -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        response = socket.respond(status, body.decode())
        response.headers["Retry-After"] = "7"
        return response

    async with peer(lambda socket: asyncio.sleep(0), process_request=refuse) as url:
        with pytest.raises(UndertoneError) as refused:
            async with undertone_client.connect(url):
                pytest.fail("a refused session was opened")
    assert refused.value.code is code
    if status == 503:
        assert refused.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("close_code", "code"),
    [
        (1009, ErrorCode.TOO_LARGE),
        (1012, ErrorCode.DRAINING),
        (4000, ErrorCode.BAD_REQUEST),
        (4008, ErrorCode.IDLE),
    ],
)
async def test_a_close_code_without_a_message_still_has_its_meaning(close_code: int, code: ErrorCode) -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.close(close_code)

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(UndertoneError) as refused:
            await anext(stream)
    assert refused.value.code is code


@pytest.mark.parametrize("abruptly", [True, False])
async def test_a_drop_is_told_apart_from_a_refusal(abruptly: bool) -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket), RESULT)
        if abruptly:
            socket.transport.abort()
        else:
            await socket.close(1011)

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(undertone_client.ServerUnreachableError, match="before the session ended"):
            await _read_all(stream)
        with pytest.raises(undertone_client.ServerUnreachableError):
            await stream.send(b"\0\0")


async def _read_all(stream: undertone_client.Stream) -> None:
    async for message in stream:
        assert message == RESULT


async def test_an_interrupted_client_says_goodbye_in_order() -> None:
    closed: list[int | None] = []
    opened = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.wait_closed()
        closed.append(socket.close_code)

    async def hold_open(url: str) -> None:
        async with undertone_client.connect(url) as stream:
            opened.set()
            await anext(stream)

    async with peer(script) as url:
        holding = asyncio.create_task(hold_open(url))
        await opened.wait()
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
    assert closed == [1000]


async def test_nothing_answers() -> None:
    with sockets.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(undertone_client.ServerUnreachableError, match="undertone serve"):
            async with undertone_client.connect(url):
                pytest.fail("nobody was there")


async def test_messages_of_a_newer_server_are_passed_over_and_nonsense_is_not() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.send('{"type": "horoscope", "seq": 1}')
        await say(socket, RESULT)
        await socket.send("<html>")

    async with peer(script) as url, undertone_client.connect(url) as stream:
        assert await anext(stream) == RESULT
        with pytest.raises(UndertoneError, match="cannot read") as refused:
            await anext(stream)
    assert refused.value.code is ErrorCode.BAD_MESSAGE


async def test_the_first_message_must_begin_a_session() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, RESULT)

    async with peer(script) as url:
        with pytest.raises(UndertoneError) as refused:
            async with undertone_client.connect(url):
                pytest.fail("this was no session")
    assert refused.value.code is ErrorCode.BAD_ORDER


async def test_reading_may_be_cancelled_and_taken_up_again() -> None:
    go = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await go.wait()
        await say(socket, RESULT)
        await socket.wait_closed()

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
        go.set()
        assert await anext(stream) == RESULT


def test_samples_are_written_in_the_streams_encoding() -> None:
    both = np.array([[0.0, -1.0], [0.25, 1.0]])
    assert np.frombuffer(encode(both, Encoding.S16LE), "<i2").tolist() == [0, -32768, 8192, 32767]
    assert np.frombuffer(encode(both, Encoding.F32LE), "<f4").tolist() == [0, -1, 0.25, 1]
    for samples, encoding in [(both, Encoding.MULAW), (np.zeros(2, np.int16), Encoding.F32LE)]:
        with pytest.raises(UndertoneError) as refused:
            encode(samples, encoding)
        assert refused.value.code is ErrorCode.UNSUPPORTED_AUDIO
    with pytest.raises(UndertoneError):
        encode(np.zeros(2, np.int32), Encoding.S16LE)  # type: ignore[arg-type]
