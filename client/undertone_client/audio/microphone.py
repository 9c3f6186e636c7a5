"""The microphone as a source, through PortAudio."""

import asyncio
from types import ModuleType, TracebackType
from typing import Any, Self

from undertone_client.audio import BLOCK_SECONDS
from undertone_client.problems import MicrophoneUnavailableError

_QUEUED_BLOCKS = 500  # 10 s: as much as the server itself would hold back
_INSTALL = (
    "Install it: `apt install libportaudio2` (Debian, Ubuntu), `dnf install portaudio` (Fedora), "
    "`brew install portaudio` (macOS)."
)


def load_sounddevice() -> ModuleType:
    """Return the sounddevice module.

    Raises:
        MicrophoneUnavailableError: the PortAudio library is not installed.
    """
    try:
        import sounddevice
    except OSError:
        raise MicrophoneUnavailableError("The PortAudio library was not found.", _INSTALL) from None
    module: ModuleType = sounddevice
    return module


def describe_devices() -> str:
    """List the audio devices, one line each, inputs marked by their channel count and usual rate."""
    devices = load_sounddevice().query_devices()
    lines = [
        f"{number:3d}  {device['name']}  ({device['max_input_channels']} in, "
        f"{device['default_samplerate']:.0f} Hz)"
        for number, device in enumerate(devices)
        if device["max_input_channels"] > 0
    ]
    outputs = len(devices) - len(lines)
    if not lines:
        return f"no input devices ({outputs} output device(s))"
    return "\n".join(lines)


class Microphone:
    """Mono s16le blocks of 20 ms from an input device; opens on entry, closes on exit.

    Nothing is dropped without being counted: ``lost`` counts blocks that found the queue full and overflows
    that PortAudio reported.
    """

    channels = 1

    def __init__(self, device: int | str | None = None, sample_rate: int = 16000) -> None:
        """Take a device by number or part of its name (absent: the system's default) and a rate in Hz."""
        self.sample_rate = sample_rate
        self.lost = 0
        self._device = device
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_BLOCKS)
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        """Open the device.

        Raises:
            MicrophoneUnavailableError: PortAudio is missing, there is no such input, or it refuses the rate.
        """
        sounddevice = load_sounddevice()
        loop = asyncio.get_running_loop()

        def heard(data: Any, frames: int, time: object, status: Any) -> None:
            # PortAudio's own thread; the buffer is only valid during this call.
            loop.call_soon_threadsafe(self.put, bytes(data), bool(status.input_overflow))

        try:
            self._stream = sounddevice.RawInputStream(
                samplerate=self.sample_rate,
                blocksize=round(self.sample_rate * BLOCK_SECONDS),
                device=self._device,
                channels=1,
                dtype="int16",
                callback=heard,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            wanted = "the default input" if self._device is None else f"input {self._device!r}"
            raise MicrophoneUnavailableError(
                f"No microphone: {wanted} cannot be opened at {self.sample_rate} Hz ({error}).",
                f"Choose one with --device, another rate with --rate. Found: {describe_devices()}.",
            ) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def put(self, block: bytes, overflowed: bool = False) -> None:
        """Queue a block, or count it as lost where the queue is full."""
        self.lost += overflowed
        try:
            self._queue.put_nowait(block)
        except asyncio.QueueFull:
            self.lost += 1

    def discard(self) -> None:
        """Forget what was heard while nobody listened."""
        while not self._queue.empty():
            self._queue.get_nowait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await self._queue.get()
