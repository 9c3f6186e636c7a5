import asyncio
from typing import Self

import pytest
from websockets.asyncio.server import ServerConnection

import undertone_client
from tests.client.peer import RESULT, asked, ended, listen, peer, say, started
from undertone_client.conversation import converse, hold
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import AnyServerMessage, Error, SessionEnded, SessionStarted
from undertone_service.protocol.options import StreamOptions

OPTIONS = StreamOptions.from_query({})


class Source:
    """Numbered blocks, the way a microphone gives them; ends, or goes on for ever."""

    def __init__(self, count: int | None = None, *, broken: bool = False) -> None:
        self.given = 0
        self._count = count
        self._broken = broken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0.001)
        if self.given == self._count:
            if self._broken:
                raise UndertoneError(ErrorCode.BAD_AUDIO, "Damaged.", "Mend it.")
            raise StopAsyncIteration
        self.given += 1
        return self.given.to_bytes(2, "little")


async def test_all_is_sent_while_answers_are_read() -> None:
    heard: list[bytes] = []
    shown: list[AnyServerMessage] = []

    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket), RESULT)
        heard.append((await listen(socket))[0])
        await say(socket, ended())

    async with peer(script) as url, undertone_client.connect(url) as stream:
        assert await converse(stream, Source(50), shown.append)
    assert heard == [b"".join(n.to_bytes(2, "little") for n in range(1, 51))]
    assert [type(message) for message in shown] == [type(RESULT), SessionEnded]


async def test_a_server_that_never_reads_does_not_keep_answers_back() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket), ended(reason="max_session"))

    async with peer(script) as url, undertone_client.connect(url) as stream:
        assert not await converse(stream, Source(), lambda message: None)


async def test_a_fault_of_the_source_ends_the_conversation() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.wait_closed()

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(UndertoneError, match="Damaged"):
            await converse(stream, Source(3, broken=True), lambda message: None)


async def test_a_refusal_while_sending_is_told_with_the_servers_reason() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket))
        await socket.recv()
        await say(socket, Error(code="too_fast", problem="Too fast.", remedy="Slow down."))
        await socket.close(4029)

    async with peer(script) as url, undertone_client.connect(url) as stream:
        with pytest.raises(UndertoneError, match="Slow down"):
            await converse(stream, Source(), lambda message: None)


async def test_a_drop_is_taken_up_by_a_new_session_that_names_the_one_before() -> None:
    sessions: list[str | None] = []
    waits: list[float] = []
    shown: list[AnyServerMessage] = []

    async def script(socket: ServerConnection) -> None:
        sessions.append(asked(socket).previous)
        match len(sessions):
            case 1:  # the network breaks
                await say(socket, started(socket, "one"), RESULT)
                await socket.recv()
                socket.transport.abort()
            case 2:  # the server is not yet back
                await say(socket, Error(code="draining", problem="Going.", remedy="Try again."))
            case 3:  # a busy server says when to come back
                error = Error(code="overloaded", problem="Full.", remedy="Later.", retry_after=0.03)
                await say(socket, started(socket, "three"), error)
            case 4:  # the session reaches its longest time
                await say(socket, started(socket, "four"), ended(reason="session_limit"))
            case _:
                await say(socket, started(socket, "five"))
                await listen(socket)
                await say(socket, ended())

    source = Source(300)
    async with peer(script) as url:
        await hold(
            source, url, OPTIONS, shown.append, lambda reason, seconds: waits.append(seconds), first_wait=0.01
        )
    assert sessions == [None, "one", "one", "three", "four"]
    assert waits == [0.01, 0.02, 0.03, 0.01]
    assert [message.id for message in shown if isinstance(message, SessionStarted)] == [
        "one",
        "three",
        "four",
        "five",
    ]
    assert source.given == 300


async def test_a_refusal_that_would_repeat_is_not_tried_again() -> None:
    calls = []

    async def script(socket: ServerConnection) -> None:
        calls.append(socket)
        await say(socket, started(socket), Error(code="unknown_speaker", problem="No bob.", remedy="Enrol."))

    async with peer(script) as url:
        with pytest.raises(UndertoneError, match="No bob"):
            await hold(Source(), url, OPTIONS, lambda message: None, lambda reason, seconds: None, 0.01)
    assert len(calls) == 1


async def test_the_first_connection_is_not_tried_again() -> None:
    with pytest.raises(undertone_client.ServerUnreachableError):
        await hold(
            Source(),
            "http://127.0.0.1:1",
            OPTIONS,
            lambda message: None,
            lambda *told: pytest.fail("retried"),
            0.01,
        )
