"""A service behind REST whose ears are stand-ins: the store, rules and HTTP are real, the network is not.

The stand-in takes the pitch of a tone for the voice, so that two tones are two people.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import soundfile
from fastapi import FastAPI
from numpy.typing import NDArray

from undertone_service.bundle.manifest import Licence, StreamingManifest, VerificationThresholds
from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.messages import ChannelSummary
from undertone_service.protocol.rest import Analysis
from undertone_service.settings import Settings
from undertone_service.store.store import VoiceStore
from undertone_service.web.app import create_app
from undertone_service.web.auth import Access
from undertone_service.web.service import Service

RATE = 16000
LOCAL = "http://localhost"


def tone(hertz: float, seconds: float = 6.0, *, level: float = 0.3, rate: int = RATE) -> NDArray[np.float32]:
    """A tone f32[n] that the stand-in hears as a voice."""
    time = np.arange(int(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def file_of(samples: NDArray[np.float32], rate: int = RATE, kind: str = "WAV", **options: Any) -> bytes:
    """Write samples f32[n] or f32[n, channels] as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, **options)
    return file.getvalue()


class PitchListener:
    """Stands in for OfflineAnalyzer: the voiceprint is the spectrum in 32 bands."""

    async def voice(self, samples: NDArray[np.float32], sample_rate: int, bundle: str | None) -> VoiceSample:
        peak = float(np.abs(samples).max())
        spectrum = np.abs(np.fft.rfft(samples))
        bands = np.array(
            [band.sum() for band in np.array_split(spectrum[: len(spectrum) // 4], 32)], np.float32
        )
        voiceprint = bands / np.linalg.norm(bands) if peak > 1e-4 else None
        return VoiceSample(
            voiceprint=voiceprint,
            speech=len(samples) / sample_rate if peak > 1e-4 else 0.0,
            level_db=20 * float(np.log10(peak + 1e-6)),
            snr_db=None,
            clipped=float((np.abs(samples) >= 1.0).mean()),
            bandwidth_hz=sample_rate // 2,
        )

    async def analyze(
        self, samples: NDArray[np.float32], sample_rate: int, *, roles: tuple[Role, ...], bundle: str | None
    ) -> Analysis:
        channels = samples.shape[1]
        return Analysis(
            duration=len(samples) / sample_rate,
            sample_rate=sample_rate,
            channels=tuple(
                ChannelSummary(
                    channel=number,
                    role=roles[number] if roles else Role.UNKNOWN,
                    speech=1.0,
                    talk_share=1 / channels,
                )
                for number in range(channels)
            ),
            utterances=(),
            bundle="pitch",
            digest="d1",
        )


class OneBundle:
    """Stands in for BundleLibrary: one bundle, named ``pitch``."""

    def __init__(self, digest: str) -> None:
        manifest = StreamingManifest(
            name="pitch",
            state_size=1,
            carried_state=0,
            statistics_size=1,
            pools={},
            voiceprint_size=32,
            verification=VerificationThresholds(agreement=0.5),
            opset=18,
            digest=digest,
            licence=Licence(name="CC-BY-NC-4.0", commercial_use=False, notice="For research only."),
        )
        self.default = SimpleNamespace(manifest=manifest)

    def get(self, name: str | None) -> Any:
        if name not in (None, "pitch"):
            raise UndertoneError(ErrorCode.UNKNOWN_BUNDLE, f"There is no bundle {name!r}.", "See /v1/models.")
        return self.default

    def __iter__(self) -> Any:
        return iter((self.default,))


def running_with(digest: str = "d1") -> Callable[[Settings], AbstractAsyncContextManager[Service]]:
    """Return what ``create_app`` takes as ``running``, with stand-ins for what hears."""

    @asynccontextmanager
    async def run(settings: Settings) -> AsyncIterator[Service]:
        store = await VoiceStore.open(settings.database)
        try:
            yield Service(
                settings=settings,
                store=store,
                bundles=cast(Any, OneBundle(digest)),
                engine=cast(Any, None),
                analyzer=cast(Any, PitchListener()),
                access=Access(settings.api_keys, settings.allowed_origins),
                uploads=asyncio.Semaphore(settings.max_uploads),
            )
        finally:
            await store.close()

    return run


@asynccontextmanager
async def running_app(settings: Settings, digest: str = "d1") -> AsyncIterator[FastAPI]:
    """Start the app with stand-ins, and stop it."""
    app = create_app(settings, running_with(digest))
    async with app.router.lifespan_context(app):
        yield app
