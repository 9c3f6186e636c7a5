"""An audio file as a source: any format that libsndfile reads, 1 or 2 channels, at its own rate."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from undertone_service.dsp.resample import Resampler
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

_FORMATS = "Name a wav, flac, ogg, opus or mp3 file with 1 or 2 channels."


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """Read from front to back only: soundfile seeks after each block, which spoils some mp3 files."""

    def seekable(self) -> bool:
        return False


class FileSource:
    """Reads a file block by block.

    A rate outside 8 to 48 kHz is converted to the nearer end. ``sample_rate`` and ``channels`` are those of
    the blocks, ``duration`` is in seconds.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file.

        Raises:
            UndertoneError: ``bad_audio`` where it is missing or no audio, ``unsupported_audio`` where it has
                more than two channels.
        """
        self._path = Path(path)
        try:
            self._file = _ForwardFile(self._path)
        except (soundfile.SoundFileError, OSError) as error:
            reason = (
                "no such file" if not self._path.exists() else str(error).partition(": ")[2] or str(error)
            )
            raise UndertoneError(
                ErrorCode.BAD_AUDIO, f"{self._path} cannot be read as audio ({reason.rstrip('.')}).", _FORMATS
            ) from None
        self.channels: int = self._file.channels
        if self.channels > 2:
            self._file.close()
            raise UndertoneError(
                ErrorCode.UNSUPPORTED_AUDIO, f"{self._path} has {self.channels} channels.", _FORMATS
            )
        own_rate: int = self._file.samplerate
        self.sample_rate = min(max(own_rate, MIN_SAMPLE_RATE), MAX_SAMPLE_RATE)
        self.duration = float(self._file.frames / own_rate)
        self._resamplers = [Resampler(own_rate, self.sample_rate) for _ in range(self.channels)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def blocks(self, seconds: float) -> Iterator[bytes]:
        """Yield the file as s16le blocks of about ``seconds`` each, channels interleaved.

        Raises:
            UndertoneError: ``bad_audio`` where the file is damaged or holds samples that are not numbers.
        """
        size = max(1, round(seconds * self._file.samplerate))
        while len(samples := self._read(size)):
            yield _s16le(np.stack([r.push(x) for r, x in zip(self._resamplers, samples.T, strict=True)]))
        tail = _s16le(np.stack([resampler.flush() for resampler in self._resamplers]))
        if tail:
            yield tail

    def _read(self, size: int) -> NDArray[np.float32]:
        """Return the next f32[n, channels], n <= size, empty at the end."""
        try:
            samples: NDArray[np.float32] = self._file.read(size, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            raise UndertoneError(ErrorCode.BAD_AUDIO, f"{self._path} is damaged.", _FORMATS) from None
        if not np.isfinite(samples).all():
            raise UndertoneError(
                ErrorCode.BAD_AUDIO,
                f"{self._path} holds samples that are not numbers.",
                "Write the file again with samples in [-1, 1].",
            )
        return samples


def _s16le(samples: NDArray[np.float32]) -> bytes:
    """Write f32[channels, n] as interleaved s16le."""
    return bytes(np.clip(np.rint(samples.T * 32768.0), -32768, 32767).astype("<i2").tobytes())
