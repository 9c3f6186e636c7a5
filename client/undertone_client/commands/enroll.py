"""``undertone enroll``: store a voice, so that it can be verified later."""

import argparse
import asyncio
import io
import sys
from pathlib import Path

import numpy as np
import soundfile

from undertone_client.arguments import add_channel, add_server
from undertone_client.audio.microphone import Microphone
from undertone_client.rest import Client, Recording
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.rest import EnrolledSpeaker, Enrollment


def configure(parser: argparse.ArgumentParser) -> None:
    """Enrol a voice from recordings or the microphone, with the person's consent."""
    parser.add_argument("name", metavar="NAME", help="the person's name")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="recordings of this voice alone")
    parser.add_argument("--mic", type=float, metavar="SECONDS", help="record from the microphone instead")
    parser.add_argument(
        "--id", help="speaker id; an existing one gets the recordings added (default: a new one)"
    )
    parser.add_argument("--consent-by", metavar="TEXT", help="who recorded the person's consent, and how")
    add_channel(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Enrol and tell what is still missing: 0 when the voice is ready, 1 while more speech is needed."""
    if bool(arguments.files) == bool(arguments.mic):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            "Either recordings or --mic SECONDS are needed, and not both.",
            "Write `undertone enroll NAME FILE...` or `undertone enroll NAME --mic 15`.",
        )
    consent = arguments.consent_by or _ask_consent(arguments.name)
    return asyncio.run(_enroll(arguments, consent))


def _ask_consent(name: str) -> str:
    consent = ""
    if sys.stdin.isatty():
        print(f"A voiceprint of {name} will be stored. Has {name} agreed, and who recorded it, and how?")
        consent = input("Consent recorded by: ").strip()
    if not consent:
        raise UndertoneError(
            ErrorCode.CONSENT_MISSING,
            "A voice is only stored with the person's consent.",
            'Say who recorded the consent, and how: --consent-by "J. Smith, signed form".',
        )
    return consent


async def _enroll(arguments: argparse.Namespace, consent: str) -> int:
    recordings: list[Recording] = [*arguments.files] or [await _record(arguments.mic)]
    async with Client(arguments.url) as client:
        speaker = await _speaker(client, arguments, consent)
        print(f"speaker {speaker.id} ({speaker.name})")
        missing = 0.0
        for recording in recordings:
            added = await client.enroll(
                speaker.id, recording, channel=arguments.channel, bundle=arguments.bundle
            )
            print(f"  {recording if isinstance(recording, Path) else 'microphone'}: {_quality(added)}")
            missing = added.missing_speech
    if missing > 0:
        print(
            f"{missing:.1f} s of speech are missing. Add them: undertone enroll NAME FILE --id {speaker.id}"
        )
        return 1
    print(f"ready. Verify with: undertone verify {speaker.id} FILE")
    return 0


async def _speaker(client: Client, arguments: argparse.Namespace, consent: str) -> EnrolledSpeaker:
    """Create the speaker, or return the one that already has the given id."""
    try:
        return await client.create_speaker(arguments.name, consent, arguments.id)
    except UndertoneError as refused:
        if refused.code is not ErrorCode.CONFLICT or arguments.id is None:
            raise
        known = await client.speaker(arguments.id)
        if known.name != arguments.name:
            raise UndertoneError(
                ErrorCode.CONFLICT,
                f"The id {known.id} belongs to {known.name}.",
                "Choose another --id, or give that name to add recordings to it.",
            ) from None
        return known


async def _record(seconds: float) -> bytes:
    """Record a wav file from the default microphone."""
    if not 0 < seconds <= 300:
        raise UndertoneError(ErrorCode.BAD_REQUEST, "--mic takes 1 to 300 seconds.", "Try --mic 15.")
    blocks: list[bytes] = []
    async with Microphone() as microphone:
        print(f"Speak now, for {seconds:g} s.", file=sys.stderr)
        wanted = round(seconds * microphone.sample_rate) * 2
        while sum(map(len, blocks)) < wanted:
            blocks.append(await anext(microphone))
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(b"".join(blocks), "<i2"), microphone.sample_rate, format="WAV")
    return file.getvalue()


def _quality(added: Enrollment) -> str:
    snr = "unknown" if added.snr_db is None else f"{added.snr_db:.0f} dB"
    agreement = "" if added.agreement is None else f", agreement {added.agreement:.2f}"
    return (
        f"{added.speech:.1f} s of speech, level {added.level_db:.0f} dB, SNR {snr}, "
        f"clipped {added.clipped:.1%}, band {added.bandwidth_hz} Hz{agreement}"
    )
