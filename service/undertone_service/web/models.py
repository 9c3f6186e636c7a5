"""REST: the bundles that this server can run, and what their weights may be used for."""

from fastapi import APIRouter

from undertone_service.protocol.rest import Model, ModelList
from undertone_service.web.service import Running, Tenant

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/models")
async def list_models(service: Running, _tenant: Tenant) -> ModelList:
    """List the bundles, with their licences."""
    default = service.bundles.default.manifest.digest
    return ModelList(
        models=tuple(
            Model(
                name=manifest.name,
                digest=manifest.digest,
                kind=manifest.kind,
                default=manifest.digest == default,
                licence=manifest.licence.name,
                notice=manifest.licence.notice,
                tasks=tuple(manifest.tasks),
                sample_rate=manifest.sample_rate,
            )
            for manifest in (bundle.manifest for bundle in service.bundles)
        )
    )
