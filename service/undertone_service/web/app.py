"""The FastAPI app: what is served where."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi

from undertone_service.asyncapi import asyncapi_document
from undertone_service.protocol.rest import Problem
from undertone_service.settings import Settings
from undertone_service.version import VERSION
from undertone_service.web import analyze, models, operations, sessions, speakers, stream
from undertone_service.web.body_limit import BodyLimit
from undertone_service.web.problems import add_problem_handlers
from undertone_service.web.service import Service, run_service
from undertone_service.web.static import PAGE, Page, SecurityHeaders

DESCRIPTION = (
    "Hears live speech and says how the person sounds, who they might be, and whether they are who they "
    "claim to be. Audio streams over the socket at /v1/stream (see /v1/asyncapi.json); this is the rest."
)


def create_app(
    settings: Settings,
    running: Callable[[Settings], AbstractAsyncContextManager[Service]] = run_service,
) -> FastAPI:
    """Make the app; ``running`` holds up the service behind it from start to stop."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="Undertone",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    add_problem_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_bytes, idle_timeout=settings.idle_timeout)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "last-event-id"],
        )
    app.add_middleware(SecurityHeaders)
    for part in (speakers, analyze, models, sessions, operations, stream):
        app.include_router(part.router)

    @app.get("/v1/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> dict[str, Any]:
        return asyncapi_document()

    if (PAGE / "index.html").exists():
        app.mount("/", Page(directory=PAGE, html=True))
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, without the framework's form of error, which is never sent."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
