"""The pretrained ``resemblyzer`` encoder (GE2E, Wan et al. 2018), asked in a process of its own.

It brings the plain ``webrtcvad``, which clashes with ours: it lives in an environment that ``make peer`` builds.
"""

import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from undertone_service.protocol.errors import ErrorCode, UndertoneError

SIZE = 256
_PROGRAM = Path(__file__).with_name("resemblyzer_process.py")


def resemblyzer_voiceprints(
    python: Path, recordings: Iterable[NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    """Yield a voiceprint f32[256] of unit length for each recording f32[n] at 16 kHz; zeros where it finds no speech.

    Args:
        python: the interpreter of an environment that has ``resemblyzer``.
        recordings: taken from another thread, ahead of the answers.

    Raises:
        UndertoneError: ``internal`` where the process ends early.
        Exception: whatever ``recordings`` raises.
    """
    with subprocess.Popen([python, _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        writer = _Writer(process.stdin, recordings)
        writer.start()
        answered = 0
        try:
            while answer := process.stdout.read(4 * SIZE):
                yield np.frombuffer(answer, np.float32)
                answered += 1
        finally:
            process.kill()
            writer.join()
    if writer.fault:
        raise writer.fault
    if not writer.finished or answered < writer.written:
        raise UndertoneError(
            ErrorCode.INTERNAL,
            f"{python} stopped answering.",
            "Give the Python of an environment with resemblyzer, as `make peer` builds it.",
        )


class _Writer(threading.Thread):
    """Hands recordings over while the answers are read: pipes hold little."""

    def __init__(self, pipe: IO[bytes], recordings: Iterable[NDArray[np.float32]]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._recordings = recordings
        self.finished = False
        self.written = 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            with self._pipe as pipe:
                for samples in self._recordings:
                    pipe.write(len(samples).to_bytes(4, "little") + samples.astype("<f4").tobytes())
                    self.written += 1
            self.finished = True
        except BrokenPipeError:
            pass  # the process has ended: the reader says so
        except Exception as error:  # raised again where the answers are read
            self.fault = error
