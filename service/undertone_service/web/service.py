"""The running parts of the service, made when the app starts and ended when it stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from undertone_service.bundle.library import BundleLibrary
from undertone_service.engine import Background, Engine
from undertone_service.metrics import Metrics
from undertone_service.offline import OfflineAnalyzer
from undertone_service.settings import Settings
from undertone_service.store.store import VoiceStore
from undertone_service.web.admission import Admission
from undertone_service.web.auth import Access
from undertone_service.web.registry import SessionRegistry
from undertone_service.workload import Batch, Workload


@dataclass
class Service:
    """What requests and sockets work with. ``draining`` is set when the server is about to stop."""

    settings: Settings
    store: VoiceStore
    bundles: BundleLibrary
    engine: Engine
    analyzer: OfflineAnalyzer
    access: Access
    uploads: asyncio.Semaphore
    sessions: SessionRegistry = field(default_factory=SessionRegistry)
    workload: Workload = field(default_factory=Workload)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    admission: Admission = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(self.settings, self.workload, self.draining)
        self.metrics = Metrics(
            streams=lambda: self.admission.streams,
            load=lambda: self.workload.load,
            delay=lambda: self.workload.delay,
            ready=lambda: self.admission.refusal() is None,
            settings=self.settings,
        )

    def ran(self, batch: Batch) -> None:
        """Count one run of the network."""
        self.workload.ran(batch)
        self.metrics.ran(batch)


@asynccontextmanager
async def run_service(settings: Settings, bundles: BundleLibrary | None = None) -> AsyncIterator[Service]:
    """Load the bundles if they are not yet, open the store, start the engine; end in the reverse order."""
    bundles = bundles or open_bundles(settings)
    engine = Engine(observe=lambda batch: service.ran(batch))
    store = await VoiceStore.open(settings.database)
    service = Service(
        settings=settings,
        store=store,
        bundles=bundles,
        engine=engine,
        analyzer=OfflineAnalyzer(Background(engine), bundles),
        access=Access(settings.api_keys, settings.allowed_origins),
        uploads=asyncio.Semaphore(settings.max_uploads),
    )
    try:
        await engine.start()
        measuring = asyncio.create_task(service.workload.watch())
        try:
            yield service
            service.draining.set()
            service.sessions.stop()
        finally:
            measuring.cancel()
            await engine.stop()
    finally:
        await store.close()


def open_bundles(settings: Settings) -> BundleLibrary:
    """Load the installed bundles and the operator's own, which win where names are equal.

    Raises:
        UndertoneError: ``unknown_bundle`` where the default one is not among them.
    """
    return BundleLibrary(settings.bundle_directories, settings.default_bundle)


def service_of(connection: HTTPConnection) -> Service:
    """Return the service behind a request or a socket."""
    service: Service = connection.app.state.service
    return service


bearer = HTTPBearer(auto_error=False, description="an API key of the operator's UNDERTONE_API_KEYS")


def _tenant(request: Request, _documented: Annotated[object, Depends(bearer)]) -> str:
    access = service_of(request).access
    access.check_origin(request.headers)
    return access.tenant(request.headers)


def _service(request: Request) -> Service:
    return service_of(request)


Running = Annotated[Service, Depends(_service)]
Tenant = Annotated[str, Depends(_tenant)]
