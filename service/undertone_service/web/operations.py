"""For operators: whether the server lives, takes sessions, and what it counts."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from undertone_service.protocol.rest import Health
from undertone_service.version import VERSION
from undertone_service.web.service import Running, Tenant

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Health:
    """Answer as long as the process lives."""
    return Health(status="ok", version=VERSION)


@router.get("/readyz", responses={503: {"model": Health}})
async def readyz(service: Running, response: Response) -> Health:
    """Answer 200 while new sessions are taken, 503 once the server is draining."""
    draining = service.draining.is_set()
    response.status_code = 503 if draining else 200
    return Health(status="draining" if draining else "ok", version=VERSION)


@router.get("/metrics", response_class=Response)
async def metrics(service: Running, _tenant: Tenant) -> Response:
    """Counters in Prometheus's text format; where API keys are set, any of them opens this too."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
