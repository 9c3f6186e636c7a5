"""Sessions of the tiny bundle without a socket."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.session import Session, SessionRules
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.g711 import alaw_encode, mulaw_encode
from undertone_service.engine import DirectRunner, Runner
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import Limits, ServerMessageBase
from undertone_service.protocol.options import Encoding, StreamOptions
from undertone_service.store.voices import Gallery, Voiceprint

LIMITS = Limits(max_message_bytes=1 << 20, max_rate=2, idle_timeout=30, max_session=3600)


class KnownVoices:
    """The voices of a dictionary, by speaker id."""

    def __init__(self, voices: dict[str, Voiceprint] | None = None) -> None:
        self.voices = voices or {}

    async def voiceprint(self, speaker: str) -> Voiceprint:
        if speaker not in self.voices:
            raise UndertoneError(ErrorCode.UNKNOWN_SPEAKER, f"No speaker {speaker!r}.", "Enrol first.")
        return self.voices[speaker]

    async def gallery(self) -> Gallery:
        ids = tuple(self.voices)
        return Gallery(ids, ids, np.stack([self.voices[i].vector for i in ids]))


def wire(samples: NDArray[np.float32], encoding: Encoding = Encoding.S16LE) -> bytes:
    """Write samples f32[n] or f32[n, channels] as they go over the wire."""
    if encoding is Encoding.F32LE:
        return samples.astype("<f4").tobytes()
    whole = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    if encoding is Encoding.S16LE:
        return whole.astype("<i2").tobytes()
    return (mulaw_encode if encoding is Encoding.MULAW else alaw_encode)(whole).tobytes()


async def started(
    bundle: StreamingBundle,
    query: dict[str, str],
    *,
    voices: KnownVoices | None = None,
    runner: Runner | None = None,
    **rules: Any,
) -> tuple[Session, list[ServerMessageBase]]:
    """Return a session that has begun, and its first messages."""
    session = Session(
        "test",
        StreamOptions.from_query(query),
        bundle,
        runner or DirectRunner(),
        voices or KnownVoices(),
        SessionRules(LIMITS, **rules),
    )
    return session, await session.start()


async def heard(session: Session, pieces: Sequence[bytes]) -> list[ServerMessageBase]:
    """Send audio and end the session; return all messages."""
    messages: list[ServerMessageBase] = []
    for piece in pieces:
        messages += await session.receive_audio(piece)
    return messages + await session.end("test")


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes, over and over."""
    pieces, position, turn = [], 0, 0
    while position < len(data):
        size = max(1, sizes[turn % len(sizes)])
        pieces.append(data[position : position + size])
        position, turn = position + size, turn + 1
    return pieces


def contents(messages: Sequence[ServerMessageBase]) -> list[dict[str, Any]]:
    """Return messages as JSON values without what depends on the time of day."""
    return [m.model_dump(mode="json", exclude={"seq", "lag_ms", "started_at"}) for m in messages]


_ROUNDED = {"years": 0.1, "low": 0.1, "high": 0.1, "level_db": 0.1, "snr_db": 0.1}


def assert_same(one: Any, other: Any, key: str = "") -> None:
    """Compare JSON values, numbers to 1e-4, and to a unit of the last place where they are rounded further."""
    assert type(one) is type(other), (key, one, other)
    if isinstance(one, dict):
        assert one.keys() == other.keys(), (one, other)
        for name, value in one.items():
            assert_same(value, other[name], name)
    elif isinstance(one, list):
        assert len(one) == len(other), (key, one, other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b, key)
    elif isinstance(one, float):
        assert abs(one - other) <= 1e-4 + _ROUNDED.get(key, 0.0) + 1e-9, (key, one, other)
    else:
        assert one == other, key
