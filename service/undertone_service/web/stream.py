"""``/v1/stream``: carries bytes between a WebSocket and a session. Nothing is decided here but flow.

Three tasks a socket: the reader takes messages in, and stops reading while ten seconds of audio wait; the worker
runs the session; the writer numbers and sends. So a slow client, a hasty one and a busy engine each meet their own
limit, and none of them another stream. (A fourth waits for the server's stop: it tells the client, and ends the
session in order at the deadline.)
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from undertone_service.analysis.session import Session, SessionRules
from undertone_service.logs import log_context
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Limits, Result, ServerMessageBase
from undertone_service.protocol.options import StreamOptions
from undertone_service.protocol.rest import SessionInfo
from undertone_service.settings import Settings
from undertone_service.store.store import VoiceStore
from undertone_service.store.voices import Gallery, Voiceprint
from undertone_service.web.auth import SUBPROTOCOL
from undertone_service.web.flow import Outbox, Pace, waiting_seconds
from undertone_service.web.refusals import (
    deny,
    draining,
    error_message,
    idle,
    refuse,
    session_limit,
    slow_reader,
    too_large,
)
from undertone_service.web.service import Service, service_of

log = logging.getLogger(__name__)
router = APIRouter()


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one session of the native protocol."""
    service = service_of(socket)
    try:
        _check_room(service, 1)
    except UndertoneError as error:
        service.metrics.refusals.labels(error.code).inc()
        await deny(socket, error)
        return
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    try:
        connection = await _open(socket, service)
        channels = connection.session.options.channels
        # Once more, and for all its channels: many may have come through the same gap.
        _check_room(service, channels)
    except UndertoneError as error:
        service.metrics.refusals.labels(error.code).inc()
        await refuse(socket, error)
        return
    except WebSocketDisconnect:
        return
    with service.admission.admitted(channels), log_context(session=connection.session.id):
        await connection.serve()


@dataclass(frozen=True)
class TenantVoices:
    """The voices of one tenant under one bundle, as a session sees them."""

    store: VoiceStore
    tenant: str
    digest: str

    async def voiceprint(self, speaker: str) -> Voiceprint:
        """Return one voice, or raise ``unknown_speaker`` or ``needs_reenrolment``."""
        return await self.store.voiceprint(self.tenant, speaker, self.digest)

    async def gallery(self) -> Gallery:
        """Return all voices."""
        return await self.store.gallery(self.tenant, self.digest)


def session_rules(settings: Settings) -> SessionRules:
    """Return what the operator's settings allow a session."""
    limits = Limits(
        max_message_bytes=settings.max_message_bytes,
        max_rate=settings.max_rate,
        idle_timeout=settings.idle_timeout,
        max_session=settings.max_session,
    )
    return SessionRules(limits, settings.verification_prior, settings.emotion_for_all)


async def _open(socket: WebSocket, service: Service) -> "Connection":
    service.access.check_origin(socket.headers)
    tenant = service.access.tenant(socket.headers, socket.scope["subprotocols"])
    options = StreamOptions.from_query(socket.query_params)
    bundle = service.bundles.get(options.bundle)
    voices = TenantVoices(service.store, tenant, bundle.manifest.digest)
    rules = session_rules(service.settings)
    session = Session(uuid.uuid4().hex, options, bundle, service.engine, voices, rules)
    connection = Connection(socket, service, tenant, session)
    for message in await session.start():
        connection.outbox.put(message)
    return connection


@dataclass(frozen=True, slots=True)
class _End:
    """The reader asks the worker to sum up and end: for a reason of ours, or because the client is gone."""

    reason: str
    error: UndertoneError | None


@dataclass(frozen=True, slots=True)
class _Incoming:
    content: bytes | str | _End
    arrival: float
    seconds: float


class Connection:
    """One socket and its session."""

    def __init__(self, socket: WebSocket, service: Service, tenant: str, session: Session) -> None:
        self.session = session
        self.outbox = Outbox(dropped=service.metrics.thinned.inc)
        self._socket = socket
        self._service = service
        self._tenant = tenant
        self._settings = service.settings
        self._inbox: asyncio.Queue[_Incoming] = asyncio.Queue()
        self._unprocessed = 0.0
        self._moved = asyncio.Event()
        self._pace = Pace(self._settings.max_rate, self._settings.rate_allowance)
        self._started = time.monotonic()
        self._sequence = 0
        self._gone = False
        self._failure: UndertoneError | None = None

    async def serve(self) -> None:
        """Run the session to its end, and close the socket."""
        service, options = self._service, self.session.options
        service.sessions.open(self._tenant, self.session.id, self._info())
        unsubscribe = service.store.subscribe(self._voice_changed)
        log.info("session started: %d channel(s) at %d Hz", options.channels, options.sample_rate)
        tasks = [asyncio.create_task(self._guarded(part())) for part in (self._read, self._work, self._drain)]
        try:
            await self._write()
        finally:
            unsubscribe()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            service.sessions.close(self.session.id)
            reason = self._failure.code if self._failure else "connection lost" if self._gone else "closed"
            log.info("session ended: %s after %.1f s of audio", reason, self.session.time)
        await self._close()

    async def _read(self) -> None:
        while True:
            while self._unprocessed > self._settings.max_unprocessed or self.outbox.full:
                self._moved.clear()
                await self._moved.wait()
            content = await self._receive()
            seconds = 0.0
            if not isinstance(content, _End):
                seconds = waiting_seconds(content, self.session.options.bytes_per_second)
            if isinstance(content, bytes):
                self._pace.take(seconds)
            self._unprocessed += seconds
            self._inbox.put_nowait(_Incoming(content, time.monotonic(), seconds))
            if isinstance(content, _End):
                return

    async def _drain(self) -> None:
        """Say when the server is about to stop; at the deadline end the session, once what has come in is answered."""
        await self._service.draining.wait()
        seconds = self._settings.drain_seconds
        problem = f"This server stops; it ends this session in {seconds:g} s."
        remedy = "Connect again before: a new session that names this one as `previous`."
        self.outbox.put(self.session.warn("draining", problem, remedy))
        await asyncio.sleep(seconds)
        self._inbox.put_nowait(_Incoming(_End("draining", draining()), time.monotonic(), 0.0))

    async def _receive(self) -> bytes | str | _End:
        """Return the next message, or why there will be none."""
        left = self._started + self._settings.max_session - time.monotonic()
        if left <= 0:  # a sender who is always ready would never meet the timeout
            return _End("session limit", session_limit(self._settings))
        try:
            async with asyncio.timeout(min(left, self._settings.idle_timeout)):
                message = await self._socket.receive()
        except TimeoutError:
            over = left < self._settings.idle_timeout
            return (
                _End("session limit", session_limit(self._settings))
                if over
                else _End("idle", idle(self._settings))
            )
        if message["type"] == "websocket.disconnect":
            self._gone = True
            return _End("connection lost", None)
        text: str | None = message.get("text")
        content: bytes | str = text if text is not None else message["bytes"]
        if len(content) > self._settings.max_message_bytes:
            raise too_large(self._settings)
        return content

    async def _work(self) -> None:
        while not self.session.ended:
            incoming = await self._inbox.get()
            if isinstance(incoming.content, _End):
                self._send(await self.session.end(incoming.content.reason), incoming.arrival)
                if incoming.content.error:
                    raise incoming.content.error
            elif isinstance(incoming.content, bytes):
                await self._hear(incoming.content, incoming.arrival)
            else:
                self._send(await self.session.receive_text(incoming.content), incoming.arrival)
            self._unprocessed -= incoming.seconds
            self._moved.set()
        self.outbox.end()

    async def _hear(self, audio: bytes, arrival: float) -> None:
        """Hear a message by the second, so that a long one neither holds up other streams nor floods the outbox."""
        second = self.session.options.bytes_per_second
        for start in range(0, len(audio), second):
            self._send(await self.session.receive_audio(audio[start : start + second]), arrival)
            await asyncio.sleep(0)

    def _send(self, messages: list[ServerMessageBase], arrival: float) -> None:
        for message in messages:
            self.outbox.put(message, arrival)

    async def _guarded(self, part: Awaitable[None]) -> None:
        """Turn what goes wrong in a task into the session's last message."""
        try:
            await part
        except UndertoneError as error:
            self._fail(error)
        except Exception:
            log.exception("session failed")
            problem, remedy = (
                "The server failed in this session.",
                "Connect again; the fault has been logged.",
            )
            self._fail(UndertoneError(ErrorCode.INTERNAL, problem, remedy))

    def _fail(self, error: UndertoneError) -> None:
        if self._failure is None:
            self._failure = error
            self._service.metrics.refusals.labels(error.code).inc()
            self.outbox.put(error_message(error))
        self.outbox.end()

    async def _write(self) -> None:
        while (outgoing := await self.outbox.get()) is not None:
            self._moved.set()
            thinned = self.outbox.take_thinned()
            if thinned:
                problem = f"{thinned} result(s) were dropped because they were not read in time."
                remedy = "Read faster, ask for a longer hop, or for fewer tasks."
                await self._send_now(self.session.warn("thinned", problem, remedy, count=thinned))
            message = outgoing.message
            if isinstance(message, Result) and outgoing.arrival is not None:
                lag = time.monotonic() - outgoing.arrival
                message.lag_ms = round(1000 * lag, 1)
                self._service.metrics.lag.observe(lag)
            await self._send_now(message)

    async def _send_now(self, message: ServerMessageBase) -> None:
        message.seq = self._sequence
        self._sequence += 1
        text = message.model_dump_json()
        self._service.sessions.publish(self.session.id, text)
        if self._gone:
            return
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                await self._socket.send_text(text)
        except TimeoutError:
            self._gone = True
            self._fail(slow_reader(self._settings))
        except (WebSocketDisconnect, RuntimeError):
            self._gone = True  # the reader hears of it too, and ends the session

    async def _close(self) -> None:
        slow = self._failure is not None and self._failure.code is ErrorCode.SLOW_READER
        if self._gone and not slow:
            return
        try:
            async with asyncio.timeout(1.0 if slow else self._settings.send_timeout):
                await self._socket.close(self._failure.close_code if self._failure else 1000)
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            return  # it went first

    def _voice_changed(self, tenant: str, speaker: str) -> None:
        if tenant == self._tenant and not self.session.ended:
            for message in self.session.drop_voice(speaker):
                self.outbox.put(message)

    def _info(self) -> SessionInfo:
        return SessionInfo(
            id=self.session.id,
            state="live",
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            duration=0.0,
            channels=self.session.options.channels,
            bundle=self.session.bundle.manifest.name,
        )


def _check_room(service: Service, channels: int) -> None:
    """Refuse where so many more channels cannot be taken."""
    refusal = service.admission.refusal(channels)
    if refusal is not None:
        service.metrics.streams_refused.labels(refusal.reason).inc()
        raise refusal.error
