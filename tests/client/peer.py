"""A scripted peer on a real socket: speaks the protocol's own models, so that the client is tested alone."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from websockets.asyncio.server import Server, ServerConnection, serve

from undertone_service.protocol import messages
from undertone_service.protocol.labels import EMOTIONS, PROTOCOL_VERSION, Decision, Role
from undertone_service.protocol.options import StreamOptions

LIMITS = messages.Limits(max_message_bytes=1 << 20, max_rate=20.0, idle_timeout=30.0, max_session=3600.0)
ESTIMATE: dict[str, Any] = {
    "emotion": messages.Emotion(
        label="anger",
        confidence=0.72,
        scores={label: 0.72 if label == "anger" else 0.035 for label in EMOTIONS},
    ),
    "gender": messages.Gender(label="female", confidence=0.99),
    "age": messages.Age(years=34.2, low=27.0, high=42.0, band="thirties"),
    "speaker": messages.Speaker(
        id="ann", score=0.61, probability=0.98, decision=Decision.ACCEPTED, speech=5.2
    ),
    "identity": messages.Identity(best=messages.Match(id="ann", name="Ann", score=0.61, probability=0.9)),
}
RESULT = messages.Result(channel=0, role=Role.CUSTOMER, start=3.0, end=6.0, speech=2.4, lag_ms=41, **ESTIMATE)


def started(socket: ServerConnection, identity: str = "s1") -> messages.SessionStarted:
    """Answer a request as the server would, its options read by the protocol's own code."""
    options = asked(socket)
    return messages.SessionStarted(
        id=identity,
        protocol=PROTOCOL_VERSION,
        started_at="2025-01-01T00:00:00Z",
        previous=options.previous,
        audio=options,
        bundle=messages.BundleInfo(name="tiny", digest="0", licence="CC-BY-NC-4.0", tasks=("emotion",)),
        window=options.window,
        hop=options.hop,
        limits=LIMITS,
        policy=messages.Policy(emotion=(True,) * options.channels),
    )


def ended(duration: float = 0.0, reason: str = "closed") -> messages.SessionEnded:
    """Return a summary of one channel."""
    channel = messages.ChannelSummary(
        channel=0,
        role=Role.CUSTOMER,
        speech=2.4,
        talk_share=1.0,
        emotion_thirds=(ESTIMATE["emotion"], None, None),
        **ESTIMATE,
    )
    return messages.SessionEnded(
        id="s1", reason=reason, duration=duration, channels=(channel,), warnings={"clipping": 2}
    )


def asked(socket: ServerConnection) -> StreamOptions:
    """Return what the client asked for in its address."""
    assert socket.request is not None
    query = socket.request.path.partition("?")[2]
    return StreamOptions.from_query(dict(parse_qsl(query)))


async def say(socket: ServerConnection, *spoken: messages.AnyServerMessage) -> None:
    """Send messages."""
    for message in spoken:
        await socket.send(message.model_dump_json())


async def listen(socket: ServerConnection) -> tuple[bytes, list[dict[str, Any]]]:
    """Take audio and control messages until the client closes the session."""
    audio, controls = bytearray(), []
    async for data in socket:
        if isinstance(data, bytes):
            audio += data
            continue
        messages.CONTROL.validate_json(data)
        controls.append(json.loads(data))
        if controls[-1]["type"] == "close":
            break
    return bytes(audio), controls


Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script, **settings: Any) -> AsyncIterator[str]:
    """Run a script for every connection; gives the address."""
    server: Server
    async with serve(script, "127.0.0.1", 0, **settings) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"
