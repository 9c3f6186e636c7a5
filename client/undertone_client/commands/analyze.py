"""``undertone analyze``: everything found in a recording, in one call."""

import argparse
import asyncio
from pathlib import Path

from undertone_client.arguments import add_roles, add_server
from undertone_client.audio.separation import separate_file
from undertone_client.lines import channel_summary, clock, line
from undertone_client.rest import Client, Recording
from undertone_service.protocol.rest import Analysis


def configure(parser: argparse.ArgumentParser) -> None:
    """Upload a recording and print what is found in it."""
    parser.add_argument("file", type=Path, metavar="FILE", help="wav, flac, ogg or mp3")
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    parser.add_argument(
        "--separate",
        choices=("ica",),
        help="take apart voices that talk at once in a recording of several microphones",
    )
    parser.add_argument(
        "--voices", type=int, metavar="N", help="with --separate: how many (default: as channels)"
    )
    add_roles(parser)
    add_server(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Analyse one recording, or each voice that it is separated into."""
    if arguments.voices is not None and not arguments.separate:
        arguments.refuse("--voices goes with --separate")
    if arguments.separate and arguments.roles:
        arguments.refuse("--separate finds voices, not channels: leave the roles out")
    asyncio.run(_analyze(arguments))
    return 0


async def _analyze(arguments: argparse.Namespace) -> None:
    recordings: list[tuple[str, Recording]] = [(str(arguments.file), arguments.file)]
    if arguments.separate:
        voices = await asyncio.to_thread(separate_file, arguments.file, arguments.voices)
        recordings = [(f"{arguments.file}, voice {n}", voice) for n, voice in enumerate(voices, start=1)]
    async with Client(arguments.url) as client:
        for title, recording in recordings:
            found = await client.analyze(recording, roles=arguments.roles, bundle=arguments.bundle)
            if arguments.json:
                print(found.model_dump_json())
            else:
                _show(title, found)


def _show(title: str, found: Analysis) -> None:
    print(f"{title}: {clock(found.duration)} at {found.sample_rate} Hz, model {found.bundle}")
    for utterance in found.utterances:
        print(line(utterance))
    for channel in found.channels:
        print("\n".join(channel_summary(channel)))
