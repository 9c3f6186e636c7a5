"""Recordings that were sent over REST: read from memory, never written to disk."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from undertone_service.web.refusals import draining
from undertone_service.web.service import service_of

FORMATS = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}
MAX_CHANNELS = 2
BLOCK = 1 << 16
WANTED = "Send a wav, flac, ogg or mp3 file."

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "a wav, flac, ogg or mp3 file, as the body itself or as the field `file` of a form",
        "content": {
            "audio/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A decoded recording: ``samples`` f32[n, channels] in [-1, 1]."""

    samples: NDArray[np.float32]
    sample_rate: int

    def channel(self, number: int | None) -> NDArray[np.float32]:
        """Return one channel f32[n]; of a recording with several, which one has to be said.

        Raises:
            UndertoneError: ``bad_request``.
        """
        count = self.samples.shape[1]
        if number is None and count > 1:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"The recording has {count} channels, which may hold two people.",
                "Say with ?channel=0 or ?channel=1 which one to hear, or send a mono file.",
            )
        if number is not None and number >= count:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"channel: there is no channel {number} in a recording of {count}.",
                "Count channels from 0.",
            )
        return np.ascontiguousarray(self.samples[:, number or 0])


@asynccontextmanager
async def received_upload(request: Request) -> AsyncIterator[Upload]:
    """Read and decode the recording of a request; hold one of the places for recordings meanwhile.

    Raises:
        UndertoneError: ``overloaded``, ``draining``, ``bad_request``, ``bad_audio``, ``unsupported_audio``,
            ``too_large``.
    """
    service = service_of(request)
    if service.draining.is_set():
        raise draining()
    if service.uploads.locked():
        raise UndertoneError(
            ErrorCode.OVERLOADED,
            f"{service.settings.max_uploads} recordings are being worked on already.",
            "Try again in a few seconds.",
            retry_after=5.0,
        )
    async with service.uploads:
        content = await _content(request, service.settings.max_upload_bytes)
        yield await asyncio.to_thread(decode, content, service.settings.max_upload_seconds)


async def _content(request: Request, max_bytes: int) -> bytes:
    body = await request.body()
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return body

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, whole(), max_files=1, max_fields=10)
    parser.spool_max_size = max_bytes + 1  # stays in memory: no audio is left in a temporary file
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UndertoneError(ErrorCode.BAD_REQUEST, f"{error.message}", WANTED) from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise UndertoneError(
                ErrorCode.BAD_REQUEST, "The form has no file.", "Send the recording as the field 'file'."
            )
        return await file.read()
    finally:
        await form.close()


def decode(content: bytes, max_seconds: float) -> Upload:
    """Decode a file's bytes. The length is bounded while decoding: a header may lie.

    Raises:
        UndertoneError: ``bad_audio``, ``unsupported_audio``, or ``too_large`` where it lasts too long.
    """
    if not content:
        raise UndertoneError(ErrorCode.BAD_AUDIO, "The body is empty.", WANTED)
    try:
        with _ForwardFile(io.BytesIO(content)) as file:
            _check_format(file)
            return Upload(_samples(file, max_seconds), file.samplerate)
    except soundfile.LibsndfileError:
        raise UndertoneError(
            ErrorCode.BAD_AUDIO, "What was sent cannot be read as audio, whatever its name says.", WANTED
        ) from None


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """Read from front to back only: soundfile seeks after each block, which spoils some mp3 files."""

    def seekable(self) -> bool:
        return False


def _check_format(file: soundfile.SoundFile) -> None:
    fault = None
    if file.format not in FORMATS:
        fault = f"The file is {file.format}."
    elif not MIN_SAMPLE_RATE <= file.samplerate <= MAX_SAMPLE_RATE:
        fault = f"The file has {file.samplerate} samples a second."
    elif file.channels > MAX_CHANNELS:
        fault = f"The file has {file.channels} channels."
    if fault:
        wanted = f"Send wav, flac, ogg or mp3 at {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz, 1 or 2 channels."
        raise UndertoneError(ErrorCode.UNSUPPORTED_AUDIO, fault, wanted)


def _samples(file: soundfile.SoundFile, max_seconds: float) -> NDArray[np.float32]:
    limit = int(max_seconds * file.samplerate)
    blocks: list[NDArray[np.float32]] = []
    length = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        length += len(block)
        if length > limit:
            raise UndertoneError(
                ErrorCode.TOO_LARGE, f"The recording is longer than {max_seconds:g} s.", "Send it in parts."
            )
        if not np.isfinite(block).all():
            raise UndertoneError(
                ErrorCode.BAD_AUDIO,
                "The recording holds samples that are not numbers.",
                "Send samples between -1 and 1.",
            )
        blocks.append(np.clip(block, -1.0, 1.0))
    if not blocks:
        raise UndertoneError(ErrorCode.BAD_AUDIO, "The recording holds no audio.", "Send some speech.")
    return np.concatenate(blocks)
