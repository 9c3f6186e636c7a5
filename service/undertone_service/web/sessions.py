"""REST: live and lately ended sessions, and their messages as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path
from fastapi.responses import StreamingResponse

from undertone_service.protocol.rest import SessionInfo
from undertone_service.web.service import Running, Tenant

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

KEEPALIVE = 15.0

SessionId = Annotated[str, Path(max_length=64)]


@router.get("/{session}")
async def session_info(session: SessionId, service: Running, tenant: Tenant) -> SessionInfo:
    """Describe a session."""
    return service.sessions.info(tenant, session)


@router.get(
    "/{session}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def session_events(
    session: SessionId,
    service: Running,
    tenant: Tenant,
    last_event_id: Annotated[int, Header(ge=-1, description="number of the last event received")] = -1,
) -> StreamingResponse:
    """Follow a session: its messages as on the socket, the last 1000 or 128 KiB first, until it ends."""
    messages = service.sessions.watch(tenant, session, last_event_id)
    return StreamingResponse(
        server_sent_events(messages), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def server_sent_events(
    messages: AsyncIterator[tuple[int, str]], keepalive: float = KEEPALIVE
) -> AsyncIterator[str]:
    """Write (number, JSON) as server-sent events, with a comment every ``keepalive`` seconds of quiet."""
    pending = asyncio.ensure_future(anext(messages, None))
    try:
        while True:
            done, _ = await asyncio.wait((pending,), timeout=keepalive)
            if not done:
                yield ": still here\n\n"
                continue
            event = pending.result()
            if event is None:
                return
            number, message = event
            yield f"id: {number}\ndata: {message}\n\n"
            pending = asyncio.ensure_future(anext(messages, None))
    finally:
        pending.cancel()
