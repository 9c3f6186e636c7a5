"""``undertone mic``: live results on one's own voice."""

import argparse
import asyncio
from typing import Self

from rich.live import Live

from undertone_client.arguments import add_stream, stream_options
from undertone_client.audio.microphone import Microphone, describe_devices
from undertone_client.conversation import hold
from undertone_client.panel import LivePanel
from undertone_service.protocol.messages import AnyServerMessage, SessionStarted


def configure(parser: argparse.ArgumentParser) -> None:
    """Listen to the microphone and show emotion, gender, age and speaker live."""
    add_stream(parser)
    parser.add_argument("--list-devices", action="store_true", help="list the input devices and end")
    parser.add_argument("--device", help="input device, by its number or part of its name")
    parser.add_argument(
        "--rate", type=int, default=16000, metavar="HZ", help="samples a second (default: 16000)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show live results until interrupted."""
    if arguments.list_devices:
        print(describe_devices())
        return 0
    asyncio.run(_listen(arguments))
    return 0


async def _listen(arguments: argparse.Namespace) -> None:
    device, rate = arguments.device, arguments.rate
    options = stream_options(arguments, rate, 1)
    panel = LivePanel()
    async with Microphone(int(device) if device and device.isdigit() else device, rate) as microphone:

        def show(message: AnyServerMessage) -> None:
            if isinstance(message, SessionStarted):
                microphone.discard()  # what was said while there was no session is stale
            panel.show(message)

        with Live(panel, refresh_per_second=10):
            await hold(_Watched(microphone, panel), arguments.url, options, show, panel.waiting)


class _Watched:
    """The microphone's blocks, their level shown on the panel as they leave."""

    def __init__(self, microphone: Microphone, panel: LivePanel) -> None:
        self._microphone = microphone
        self._panel = panel

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        block = await anext(self._microphone)
        self._panel.heard(block, self._microphone.lost)
        return block
