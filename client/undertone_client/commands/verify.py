"""``undertone verify``: is a recording the enrolled person?"""

import argparse
import asyncio
from pathlib import Path

from undertone_client.arguments import add_channel, add_server
from undertone_client.rest import Client
from undertone_service.protocol.labels import Decision

NOT_ACCEPTED = 3
"""Exit status of a verification that did not end ``accepted``; 1 and 2 are errors."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Tell whether a recording is an enrolled speaker (exit status 0 if accepted, 3 if not)."""
    parser.add_argument("speaker", metavar="SPEAKER", help="speaker id")
    parser.add_argument("file", type=Path, metavar="FILE", help="wav, flac, ogg or mp3")
    add_channel(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify one recording."""
    return asyncio.run(_verify(arguments))


async def _verify(arguments: argparse.Namespace) -> int:
    async with Client(arguments.url) as client:
        found = await client.verify(
            arguments.speaker, arguments.file, channel=arguments.channel, bundle=arguments.bundle
        )
    print(
        f"{found.speaker}: {found.decision} (probability {found.probability:.0%}, score {found.score:.2f}, "
        f"{found.speech:.1f} s of speech)"
    )
    for warning in found.warnings:
        print(f"  warning: {warning}")
    return 0 if found.decision is Decision.ACCEPTED else NOT_ACCEPTED
