"""Live and lately ended sessions, and their messages, for the side channel of REST."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.rest import SessionInfo

HISTORY = 1000
HISTORY_BYTES = 128 * 1024
KEEP_ENDED = 600.0
MAX_ENDED = 200


@dataclass(slots=True)
class _Session:
    tenant: str
    info: SessionInfo
    opened: float
    ended: float | None = None
    count: int = 0
    history: deque[str] = field(default_factory=deque)
    size: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, message: str) -> None:
        """Add to the history; what is too much for it goes, oldest first."""
        self.history.append(message)
        self.count += 1
        self.size += len(message)
        while len(self.history) > HISTORY or self.size > HISTORY_BYTES:
            self.size -= len(self.history.popleft())

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class SessionRegistry:
    """The sessions of this process; each is found by its own tenant only.

    Of each the last 1000 messages are kept, 128 KiB of them at most. Ended sessions stay for ten minutes, the last
    200 of them. ``clock`` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._stopped = False
        self._closed = asyncio.Event()

    def open(self, tenant: str, session_id: str, info: SessionInfo) -> None:
        """Add a session that begins now."""
        self._purge()
        self._sessions[session_id] = _Session(tenant, info, self._clock())

    def publish(self, session_id: str, message: str) -> None:
        """Keep a message (JSON) and hand it to whoever watches the session."""
        session = self._sessions[session_id]
        session.keep(message)
        session.wake()

    def close(self, session_id: str) -> None:
        """Mark a session as ended; its watchers get what is left, then the end."""
        session = self._sessions[session_id]
        session.ended = self._clock()
        session.wake()
        self._closed.set()
        self._closed = asyncio.Event()
        self._purge()

    async def all_ended(self) -> None:
        """Return once no session is live."""
        while any(session.ended is None for session in self._sessions.values()):
            await self._closed.wait()

    def info(self, tenant: str, session_id: str) -> SessionInfo:
        """Describe a session.

        Raises:
            UndertoneError: ``unknown_session``.
        """
        session = self._find(tenant, session_id)
        until = self._clock() if session.ended is None else session.ended
        state = "live" if session.ended is None else "ended"
        return session.info.model_copy(update={"state": state, "duration": round(until - session.opened, 3)})

    def watch(self, tenant: str, session_id: str, after: int = -1) -> AsyncIterator[tuple[int, str]]:
        """Yield (number, message) from the one after number ``after``, until the session ends.

        A watcher more than the history behind misses messages: their numbers are then missing too.

        Raises:
            UndertoneError: ``unknown_session``, at once.
        """
        return self._watch(self._find(tenant, session_id), after)

    async def _watch(self, session: _Session, after: int) -> AsyncIterator[tuple[int, str]]:
        position = after + 1
        while True:
            changed, ended = session.changed, session.ended is not None or self._stopped
            while position < session.count:
                oldest = session.count - len(session.history)
                position = max(position, oldest)
                yield position, session.history[position - oldest]
                position += 1
            if ended:
                return
            await changed.wait()

    def stop(self) -> None:
        """Release all watchers: the server is going down."""
        self._stopped = True
        for session in self._sessions.values():
            session.wake()

    def _find(self, tenant: str, session_id: str) -> _Session:
        self._purge()
        session = self._sessions.get(session_id)
        if session is None or session.tenant != tenant:
            raise UndertoneError(
                ErrorCode.UNKNOWN_SESSION,
                f"There is no session {session_id!r}.",
                f"Use the id of session.started; ended sessions are kept for {KEEP_ENDED / 60:.0f} minutes.",
            )
        return session

    def _purge(self) -> None:
        ended = [(s.ended, key) for key, s in self._sessions.items() if s.ended is not None]
        ended.sort(reverse=True)
        now = self._clock()
        for number, (when, key) in enumerate(ended):
            if number >= MAX_ENDED or now - when > KEEP_ENDED:
                del self._sessions[key]
