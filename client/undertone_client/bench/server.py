"""The server under test: one of our own on a free port, or one that runs already."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from undertone_client.address import rest_url
from undertone_client.bench.cores import pinned
from undertone_client.bench.usage import Usage
from undertone_client.problems import LocalError

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_HERE = ("localhost", "127.0.0.1", "::1")
_LISTENING = "Listening on "
_PROGRAM = "import sys; from undertone_client.command_line import main; sys.exit(main())"
_WORDS = ["--host", "127.0.0.1", "--port", "0", "--log-level", "warning"]
_LIMITS = dict.fromkeys(("UNDERTONE_MAX_STREAMS", "UNDERTONE_MAX_LOAD", "UNDERTONE_MAX_STEP_DELAY"), "100000")
"""Where the caller's environment does not say otherwise: the bench finds the limit by itself."""
_OWN = {"UNDERTONE_DATABASE_URL": ""}
"""Whatever it says: the caller's voices are none of the bench's business."""


@dataclass(frozen=True)
class Target:
    """Where the server is, and its processes; None where they cannot be seen from here."""

    url: str
    usage: Usage | None


@contextlib.contextmanager
def own_server(bundle: str | None, cores: frozenset[int] | None) -> Iterator[Target]:
    """Start ``undertone serve`` on some cores, with a data folder that is thrown away; stop it at the end.

    Raises:
        LocalError: it does not start, with what it said.
    """
    with _ends_as_interrupts(), tempfile.TemporaryDirectory(prefix="undertone-bench-") as folder:
        log = Path(folder, "server.log")
        words = ["serve", *_WORDS, "--data-dir", folder, *(("--bundle", bundle) if bundle else ())]
        with log.open("wb") as written, pinned(cores):
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *words],
                env=_LIMITS | os.environ | _OWN,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,  # an interrupt is for us; we still need the server to put things in order
            )
        try:
            yield Target(_address(process, log), Usage([psutil.Process(process.pid)]))
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running_server(url: str) -> Iterator[Target]:
    """Use a server that runs already; its processes are looked for where it is on this machine."""
    parts = urlsplit(rest_url(url))
    port = parts.port if parts.hostname in _HERE else None
    yield Target(url, Usage.listening(port) if port else None)


@contextlib.contextmanager
def _ends_as_interrupts() -> Iterator[None]:
    """Let whatever ends this process raise: the server must not outlive it."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return where the server says that it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.startswith(_LISTENING) and line.endswith("\n"):
                return line.removeprefix(_LISTENING).strip()
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise LocalError(
        f"The server to be measured does not start: {said or 'it says nothing'}",
        "Put that right, or name a running server with --url.",
    )
