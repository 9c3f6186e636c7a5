"""``undertone serve``: run the service."""

import argparse
import asyncio
import contextlib
import errno
import functools
import signal
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from undertone_service.bundle.manifest import Manifest
from undertone_service.logs import configure_logs
from undertone_service.protocol.errors import UndertoneError
from undertone_service.settings import Settings
from undertone_service.web.app import create_app
from undertone_service.web.service import Service, open_bundles, run_service

STOP_SECONDS = 10
"""What the last results, and the last answers over REST, may take after the deadline of draining."""
SEND_BUFFER, RECEIVE_BUFFER = 32 * 1024, 128 * 1024
"""The kernel's for each connection, in bytes, of which it makes twice as much; its own choice goes up to several MiB,
which a client that does not read would fill before anybody noticed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Start the service and the live page; every other setting is a variable ``UNDERTONE_<NAME>``."""
    parser.description = "Run the service. All settings: variables UNDERTONE_<NAME>; these go before them."
    fields = Settings.model_fields
    parser.add_argument("--host", help=f"{fields['host'].description} (127.0.0.1)")
    parser.add_argument("--port", type=int, help=f"{fields['port'].description} (8000)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help=fields["data_dir"].description)
    parser.add_argument("--bundle", dest="default_bundle", help=fields["default_bundle"].description)
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped; return the exit status: 1 where calls were cut off by a second signal."""
    try:
        settings = _settings(arguments)
        refuse_two_runtimes()
        bundles = open_bundles(settings)
        print_notice(bundles.default.manifest)
        listener = listen(settings.host, settings.port)
        bound_connections(listener, settings.send_timeout)
    except (StartError, UndertoneError) as refusal:
        print(f"undertone serve: {refusal}", file=sys.stderr)
        return 2
    configure_logs(settings.log_level)
    app = create_app(settings, functools.partial(run_service, bundles=bundles))
    config = uvicorn.Config(
        app,
        log_config=None,
        ws_max_size=settings.max_message_bytes,
        server_header=False,
    )
    server = DrainingServer(config)
    host, port = listener.getsockname()[:2]
    # As Ctrl+C. After an orderly stop uvicorn raises the signal once more, for whoever handled it before.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        address = f"[{host}]" if ":" in host else host
        print(f"Listening on http://{address}:{port}", file=sys.stderr, flush=True)
        server.run(sockets=[listener])
    return 1 if server.force_exit else 0


class StartError(Exception):
    """A reason not to start, for the person at the command line."""


class DrainingServer(uvicorn.Server):
    """Asked to stop, it serves on until the live sessions have ended; asked again, it stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._draining: asyncio.Task[None] | None = None
        self._deadline = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal: the first asks for an orderly stop."""
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Begin to drain when asked to stop; return whether to stop now."""
        if not await super().on_tick(counter):
            return False
        if self._draining is None:
            service: Service = self.config.app.state.service  # type: ignore[union-attr]
            self._deadline = time.monotonic() + service.settings.drain_seconds
            self._draining = asyncio.create_task(drain(service))
        return self.force_exit or self._draining.done()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is left; requests over REST may take until the deadline."""
        left = max(0.0, self._deadline - time.monotonic()) + STOP_SECONDS
        self.config.timeout_graceful_shutdown = 1 if self.force_exit else round(left)
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()  # which uvicorn leaves out: the store closes in order all the same


async def drain(service: Service) -> None:
    """Take no new sessions, and give live ones ``drain_seconds`` to end; each then ends itself."""
    service.draining.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(service.settings.drain_seconds + STOP_SECONDS):
            await service.sessions.all_ended()
    service.sessions.stop()


def _settings(arguments: argparse.Namespace) -> Settings:
    names = ("host", "port", "data_dir", "default_bundle", "log_level")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [
            ": ".join([*(f"UNDERTONE_{part}".upper() for part in fault["loc"][:1]), fault["msg"]])
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise StartError("\n  ".join(fault.replace("Value error, ", "") for fault in faults)) from None
    except SettingsError as error:
        raise StartError(f"{error}; lists and keys are written as JSON") from None


def refuse_two_runtimes() -> None:
    """Refuse where onnxruntime is installed for the CPU and for the GPU.

    Both write the same module, so whichever was installed last is broken or runs on the wrong device.
    """
    if is_installed("onnxruntime") and is_installed("onnxruntime-gpu"):
        raise StartError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other. Uninstall both, "
            "then install undertone[server] or undertone[gpu]."
        )


def is_installed(name: str) -> bool:
    """Whether a distribution of this name is installed."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def print_notice(manifest: Manifest) -> None:
    """Say what the default bundle's weights may be used for, before anything else."""
    print(
        f"Model {manifest.name}: {manifest.licence.name}. {manifest.licence.notice}",
        file=sys.stderr,
        flush=True,
    )


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Raises:
        StartError: the port is taken, not permitted, or the address is not this machine's.
    """
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} of {host} is taken. Stop the other program, or choose one with --port."
            ) from None
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror or error}.") from None


def bound_connections(listener: socket.socket, send_timeout: float) -> None:
    """Bound what a connection can hold of this machine: what is accepted inherits it.

    A peer that takes nothing for ``send_timeout`` seconds is let go by the kernel, where it can: closing a socket
    would wait for the peer to take what is still to be sent.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * send_timeout))
