"""REST: everything found in an uploaded recording."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.rest import Analysis
from undertone_service.web.service import Running, Tenant
from undertone_service.web.uploads import BODY, received_upload

router = APIRouter(prefix="/v1", tags=["analysis"])


@router.post("/analyze", openapi_extra=BODY)
async def analyze(
    request: Request,
    service: Running,
    _tenant: Tenant,
    roles: Annotated[str, Query(max_length=100, description="role of each channel, comma separated")] = "",
    bundle: Annotated[str | None, Query(max_length=100, description="model; absent: the default")] = None,
) -> Analysis:
    """Analyse a recording as a live session would have."""
    service.bundles.get(bundle)
    wanted = _roles(roles)
    async with received_upload(request) as upload:
        channels = upload.samples.shape[1]
        if wanted and len(wanted) != channels:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"roles: {len(wanted)} given for {channels} channel(s).",
                "Give one role for each channel, or none.",
            )
        return await service.analyzer.analyze(upload.samples, upload.sample_rate, roles=wanted, bundle=bundle)


def _roles(text: str) -> tuple[Role, ...]:
    try:
        return tuple(Role(name) for name in text.split(",") if name)
    except ValueError as error:
        raise UndertoneError(ErrorCode.BAD_REQUEST, f"roles: {error}.", f"Use {', '.join(Role)}.") from None
