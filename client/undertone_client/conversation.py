"""Sends a source to a stream while its messages are read, and takes a dropped call up again."""

import asyncio
from collections.abc import AsyncIterator, Callable

from undertone_client.problems import ServerUnreachableError
from undertone_client.stream import Stream, connect
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import AnyServerMessage
from undertone_service.protocol.options import StreamOptions

Show = Callable[[AnyServerMessage], None]

_PASSING = {ErrorCode.DRAINING, ErrorCode.OVERLOADED, ErrorCode.SESSION_LIMIT, ErrorCode.INTERNAL}
"""Refusals after which a new session may do better."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0


async def converse(stream: Stream, source: AsyncIterator[bytes], show: Show) -> bool:
    """Send all of a source and show all answers; return whether the source, not the server, came to its end.

    Raises:
        UndertoneError, ServerUnreachableError: why the session broke off.
    """
    try:
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(_send_all(stream, source))
            async for message in stream:
                show(message)
            finished = sender.done() and sender.result()
            sender.cancel()
    except BaseExceptionGroup as faults:  # callers want the fault itself
        raise faults.exceptions[0] from None
    return finished


async def _send_all(stream: Stream, source: AsyncIterator[bytes]) -> bool:
    """Send a source to its end and ask for the session's; return whether it came to that."""
    try:
        async for block in source:
            await stream.send(block)
        await stream.close()
    except ServerUnreachableError:  # what is read from the connection tells why it ended
        return False
    return True


async def hold(
    source: AsyncIterator[bytes],
    url: str | None,
    options: StreamOptions,
    show: Show,
    waiting: Callable[[str, float], None],
    first_wait: float = FIRST_WAIT,
) -> None:
    """Converse until the source ends; after a drop go on in a new session that names the one before.

    Waiting for a block must be safe to cancel: it is, at a drop, and the source is then read on.
    The first connection is not tried again: an address at which nothing answers is a mistake, not a drop.
    ``waiting(reason, seconds)`` is told before each new attempt.
    """
    wait = first_wait
    while True:
        try:
            async with connect(url, options) as stream:
                options = options.model_copy(update={"previous": stream.started.id})
                wait = first_wait
                show(stream.started)
                if await converse(stream, source, show):
                    return
                reason, pause = "The server ended the session.", wait
        except (ServerUnreachableError, UndertoneError) as fault:
            if options.previous is None or not _may_pass(fault):
                raise
            reason, pause = fault.problem, getattr(fault, "retry_after", None) or wait
        waiting(reason, pause)
        await asyncio.sleep(pause)
        wait = min(wait * 2, LONGEST_WAIT)


def _may_pass(fault: ServerUnreachableError | UndertoneError) -> bool:
    return isinstance(fault, ServerUnreachableError) or fault.code in _PASSING
