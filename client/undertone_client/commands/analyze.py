"""``undertone analyze``: everything found in a recording, in one call."""

import argparse
import asyncio
from pathlib import Path

from undertone_client.arguments import add_roles, add_server
from undertone_client.lines import channel_summary, clock, line
from undertone_client.rest import Client


def configure(parser: argparse.ArgumentParser) -> None:
    """Upload a recording and print what is found in it."""
    parser.add_argument("file", type=Path, metavar="FILE", help="wav, flac, ogg or mp3")
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    add_roles(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyse one recording."""
    asyncio.run(_analyze(arguments))
    return 0


async def _analyze(arguments: argparse.Namespace) -> None:
    async with Client(arguments.url) as client:
        found = await client.analyze(arguments.file, roles=arguments.roles, bundle=arguments.bundle)
    if arguments.json:
        print(found.model_dump_json())
        return
    print(f"{arguments.file}: {clock(found.duration)} at {found.sample_rate} Hz, model {found.bundle}")
    for utterance in found.utterances:
        print(line(utterance))
    for channel in found.channels:
        print("\n".join(channel_summary(channel)))
