"""For operators: whether the server lives, takes sessions, and what it counts."""

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from undertone_service.protocol.errors import ErrorCode
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
    """Answer 200 while new streams are taken, 503 with the reason while the server is overloaded or draining."""
    refusal = service.admission.refusal()
    if refusal is None:
        return Health(status="ok", version=VERSION)
    response.status_code = 503
    draining = refusal.error.code is ErrorCode.DRAINING
    status: Literal["draining", "overloaded"] = "draining" if draining else "overloaded"
    return Health(status=status, version=VERSION, reason=refusal.error.problem)


@router.get("/metrics", response_class=Response)
async def metrics(service: Running, _tenant: Tenant) -> Response:
    """Counters in Prometheus's text format; where API keys are set, any of them opens this too."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
