"""The Undertone client: microphone, file replay and Python SDK. Needs neither torch nor onnxruntime.

The SDK in one look::

    async with undertone_client.connect("ws://127.0.0.1:8000", StreamOptions(sample_rate=16000)) as stream:
        await stream.send(samples)
        async for message in stream:
            print(message)

``undertone_client.blocking`` has the same names for programs without asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_client import blocking
    from undertone_client.problems import LocalError, MicrophoneUnavailableError, ServerUnreachableError
    from undertone_client.rest import Client
    from undertone_client.stream import Stream, connect
    from undertone_service.protocol.errors import ErrorCode, UndertoneError
    from undertone_service.protocol.options import AudioFormat, Encoding, StreamOptions

__all__ = [
    "AudioFormat",
    "Client",
    "Encoding",
    "ErrorCode",
    "LocalError",
    "MicrophoneUnavailableError",
    "ServerUnreachableError",
    "Stream",
    "StreamOptions",
    "UndertoneError",
    "blocking",
    "connect",
]

_HOMES = {
    "AudioFormat": "undertone_service.protocol.options",
    "Client": "undertone_client.rest",
    "Encoding": "undertone_service.protocol.options",
    "ErrorCode": "undertone_service.protocol.errors",
    "LocalError": "undertone_client.problems",
    "MicrophoneUnavailableError": "undertone_client.problems",
    "ServerUnreachableError": "undertone_client.problems",
    "Stream": "undertone_client.stream",
    "StreamOptions": "undertone_service.protocol.options",
    "UndertoneError": "undertone_service.protocol.errors",
    "connect": "undertone_client.stream",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for, so that importing the package costs next to nothing."""
    if name == "blocking":
        return import_module("undertone_client.blocking")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
