import asyncio
import inspect

import pytest
from websockets.asyncio.server import ServerConnection

from tests.client.peer import RESULT, ended, listen, peer, say, started
from undertone_client import blocking, rest, stream
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Error, SessionEnded


async def test_a_session_without_asyncio() -> None:
    heard = bytearray()

    async def script(socket: ServerConnection) -> None:
        await say(socket, started(socket), RESULT)
        heard.extend((await listen(socket))[0])
        await say(socket, ended())

    def use(url: str) -> None:
        with blocking.connect(url) as session:
            assert session.started.id == "s1"
            assert session.receive(timeout=5) == RESULT
            assert session.receive(timeout=0.05) is None
            session.send(b"\1\0")
            session.close()
            assert [type(message) for message in session] == [SessionEnded]
            assert session.receive(timeout=5) is None

    async with peer(script) as url:
        await asyncio.to_thread(use, url)
    assert heard == b"\1\0"


async def test_refusals_reach_the_caller() -> None:
    async def script(socket: ServerConnection) -> None:
        await say(socket, Error(code="unauthorised", problem="No key.", remedy="Give one."))

    def use(url: str) -> None:
        with pytest.raises(UndertoneError) as refused, blocking.connect(url):
            pytest.fail("a refused session was opened")
        assert refused.value.code is ErrorCode.UNAUTHORISED

    async with peer(script) as url:
        await asyncio.to_thread(use, url)


@pytest.mark.parametrize(
    ("wrapper", "inner"), [(blocking.Client, rest.Client), (blocking.Stream, stream.Stream)]
)
def test_every_asynchronous_method_has_its_blocking_twin(wrapper: type, inner: type) -> None:
    wanted = {
        name
        for name, member in vars(inner).items()
        if inspect.iscoroutinefunction(member) and not name.startswith("_")
    }
    missing = {name for name in wanted - {"begin"} if name not in vars(wrapper)}
    assert len(wanted) >= 5
    assert not missing
    for name in wanted & set(vars(wrapper)):
        assert inspect.signature(getattr(wrapper, name)) == inspect.signature(getattr(inner, name))
