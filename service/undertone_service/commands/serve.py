"""``undertone serve``: run the service."""

import argparse
import asyncio
import contextlib
import errno
import functools
import socket
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from undertone_service.bundle.manifest import Manifest
from undertone_service.logs import configure_logs
from undertone_service.protocol.errors import UndertoneError
from undertone_service.settings import Settings
from undertone_service.web.app import create_app
from undertone_service.web.service import Service, open_bundles, run_service

DRAIN_SECONDS = 5.0
STOP_SECONDS = 10


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
    """Serve until stopped; return the exit status."""
    try:
        settings = _settings(arguments)
        refuse_two_runtimes()
        bundles = open_bundles(settings)
        print_notice(bundles.default.manifest)
        listener = listen(settings.host, settings.port)
    except (StartError, UndertoneError) as refusal:
        print(f"undertone serve: {refusal}", file=sys.stderr)
        return 2
    configure_logs(settings.log_level)
    app = create_app(settings, functools.partial(run_service, bundles=bundles))
    config = uvicorn.Config(
        app,
        log_config=None,
        ws_max_size=settings.max_message_bytes,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
    )
    host, port = listener.getsockname()[:2]
    print(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port}", file=sys.stderr, flush=True)
    server = DrainingServer(config)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly stop
        server.run(sockets=[listener])
    return 0 if server.started else 1


class StartError(Exception):
    """A reason not to start, for the person at the command line."""


class DrainingServer(uvicorn.Server):
    """Lets sessions end in an orderly way before uvicorn closes their sockets."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the sessions, wait a little for them to end, then stop."""
        service: Service | None = getattr(self.config.app.state, "service", None)  # type: ignore[union-attr]
        if service is not None and not self.force_exit:
            await drain(service)
        await super().shutdown(sockets)


async def drain(service: Service) -> None:
    """Take no new sessions, and give live ones ``DRAIN_SECONDS`` to end."""
    service.draining.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
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
