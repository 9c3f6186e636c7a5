"""Command-line arguments that several subcommands share."""

import argparse
from typing import Any

from pydantic import ValidationError

from undertone_service.protocol.errors import UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.options import StreamOptions, options_error


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the server's address and model. The API key is no argument: process lists show those."""
    parser.add_argument(
        "--url",
        help="server's address (default: $UNDERTONE_URL, then http://127.0.0.1:8000); "
        "an API key is read from $UNDERTONE_API_KEY",
    )
    parser.add_argument(
        "--bundle", metavar="NAME", help="model that answers (default: the server's own choice)"
    )


def add_channel(parser: argparse.ArgumentParser) -> None:
    """Add the choice of one side of a stereo recording."""
    parser.add_argument("--channel", type=int, help="which channel of a stereo recording to hear, from 0")


def add_roles(parser: argparse.ArgumentParser) -> None:
    """Add the roles of the channels of a recording."""
    parser.add_argument(
        "--roles", type=_roles, default=(), help=f"role of each channel, comma separated ({', '.join(Role)})"
    )


def _roles(text: str) -> tuple[Role, ...]:
    try:
        return tuple(Role(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write {', '.join(Role)}, comma separated") from None


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Add what can be asked of a live stream."""
    add_server(parser)
    parser.add_argument(
        "--verify",
        action="append",
        default=[],
        metavar="ID",
        help="speaker id that the voice claims to be; <role or channel>:<id> where there are two channels",
    )
    parser.add_argument("--identify", action="store_true", help="search all enrolled voices")
    parser.add_argument(
        "--window", type=float, default=3.0, metavar="SECONDS", help="audio that a result speaks of"
    )
    parser.add_argument("--hop", type=float, default=0.5, metavar="SECONDS", help="time between results")


def stream_options(
    arguments: argparse.Namespace, sample_rate: int, channels: int, roles: tuple[Role, ...] = ()
) -> StreamOptions:
    """Return the options that the shared arguments ask for.

    Raises:
        UndertoneError: with the first of them that does not fit.
    """
    asked: dict[str, Any] = {
        "sample_rate": sample_rate,
        "channels": channels,
        "roles": roles,
        "verify": tuple(arguments.verify),
        "identify": arguments.identify,
        "window": arguments.window,
        "hop": arguments.hop,
        "bundle": arguments.bundle,
    }
    try:
        return StreamOptions(**asked)
    except ValidationError as error:
        raise _without_wire_words(options_error(error)) from None


def _without_wire_words(refused: UndertoneError) -> UndertoneError:
    return UndertoneError(refused.code, refused.problem, "See the arguments with --help.")
