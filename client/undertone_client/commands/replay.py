"""``undertone replay``: a recording sent as if it were live."""

import argparse
import asyncio
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from undertone_client.arguments import add_roles, add_stream, stream_options
from undertone_client.audio.file import FileSource
from undertone_client.conversation import converse
from undertone_client.lines import line
from undertone_client.pacing import PacedFile
from undertone_client.stream import connect
from undertone_service.protocol.messages import AnyServerMessage


def configure(parser: argparse.ArgumentParser) -> None:
    """Stream an audio file and print what is heard in it."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="wav, flac, ogg, opus or mp3; 1 or 2 channels"
    )
    add_stream(parser)
    add_roles(parser)
    parser.add_argument(
        "--fast", action="store_true", help="as fast as the server takes it, not in real time"
    )
    parser.add_argument("--json", action="store_true", help="print each message as one line of JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay the file; the session's summary comes last."""
    asyncio.run(_replay(arguments))
    return 0


async def _replay(arguments: argparse.Namespace) -> None:
    with FileSource(arguments.file) as file, _progress() as progress:
        options = stream_options(arguments, file.sample_rate, file.channels, arguments.roles)
        task = progress.add_task(arguments.file.name, total=file.duration)
        async with connect(arguments.url, options) as stream:
            source = PacedFile(file, stream.started.limits.max_rate if arguments.fast else None)

            def show(message: AnyServerMessage) -> None:
                print(message.model_dump_json() if arguments.json else line(message), flush=True)
                progress.update(task, completed=source.sent)

            show(stream.started)
            await converse(stream, source, show)


def _progress() -> Progress:
    """Return a progress bar on stderr, drawn only where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Lines share the terminal with the bar; piped lines must reach the pipe untouched.
        redirect_stdout=sys.stdout.isatty(),
    )
