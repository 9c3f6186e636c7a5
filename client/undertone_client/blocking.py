"""The SDK for programs without asyncio: the same names and arguments, each call waits for its answer.

One event loop in a background thread runs the asynchronous SDK; here is nothing but the way in and out of it.
Calls may come from any thread.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache, update_wrapper
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from undertone_client import rest, stream
from undertone_service.protocol.messages import AnyServerMessage, SessionStarted
from undertone_service.protocol.options import StreamOptions

P = ParamSpec("P")
R = TypeVar("R")
Inner = TypeVar("Inner", covariant=True)


class _Wrapper(Protocol[Inner]):
    @property
    def _inner(self) -> Inner: ...


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of the background thread, started on first use."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="undertone-sdk", daemon=True).start()
    return loop


def _wait(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in the background and return its result; an interrupt here cancels it there."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _blocking(
    method: Callable[Concatenate[Inner, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[_Wrapper[Inner], P], R]:
    """Return the method that waits for an asynchronous one, with its signature and documentation."""

    def wait(self: _Wrapper[Inner], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return _wait(method(self._inner, *args, **kwargs))

    update_wrapper(wait, method)
    return wait


class Client:
    """A server's REST calls; see ``undertone_client.Client``."""

    def __init__(self, url: str | None = None, api_key: str | None = None, *, timeout: float = 60.0) -> None:
        self._inner = rest.Client(url, api_key, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    close = _blocking(rest.Client.close)
    create_speaker = _blocking(rest.Client.create_speaker)
    speakers = _blocking(rest.Client.speakers)
    speaker = _blocking(rest.Client.speaker)
    delete_speaker = _blocking(rest.Client.delete_speaker)
    enroll = _blocking(rest.Client.enroll)
    verify = _blocking(rest.Client.verify)
    identify = _blocking(rest.Client.identify)
    analyze = _blocking(rest.Client.analyze)
    models = _blocking(rest.Client.models)
    session = _blocking(rest.Client.session)

    def events(self, session: str) -> Iterator[AnyServerMessage]:
        """Follow a session; see ``undertone_client.Client.events``."""
        yield from _messages(self._inner.events(session))


class Stream:
    """An open session; see ``undertone_client.Stream``. Iterate over it, or poll with ``receive``."""

    def __init__(self, inner: stream.Stream) -> None:
        self._inner = inner

    @property
    def started(self) -> SessionStarted:
        """The server's first message."""
        return self._inner.started

    send = _blocking(stream.Stream.send)
    configure = _blocking(stream.Stream.configure)
    finalize = _blocking(stream.Stream.finalize)
    keepalive = _blocking(stream.Stream.keepalive)
    close = _blocking(stream.Stream.close)

    def receive(self, timeout: float) -> AnyServerMessage | None:
        """Return the next message, None where none comes in ``timeout`` seconds or the session is over."""
        try:
            return _wait(asyncio.wait_for(_next(self._inner), timeout))
        except TimeoutError:
            return None

    def __iter__(self) -> Iterator[AnyServerMessage]:
        yield from _messages(self._inner)


def _messages(inner: AsyncIterator[AnyServerMessage]) -> Iterator[AnyServerMessage]:
    while (message := _wait(_next(inner))) is not None:
        yield message


async def _next(inner: AsyncIterator[AnyServerMessage]) -> AnyServerMessage | None:
    return await anext(inner, None)


@contextmanager
def connect(
    url: str | None = None, options: StreamOptions | None = None, api_key: str | None = None
) -> Iterator[Stream]:
    """Open a session and hold it until the block ends; see ``undertone_client.connect``."""
    session = stream.connect(url, options, api_key)
    inner = _wait(session.__aenter__())
    try:
        yield Stream(inner)
    finally:
        _wait(session.__aexit__(None, None, None))
