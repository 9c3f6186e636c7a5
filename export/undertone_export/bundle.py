"""Write a bundle: graphs, manifest, card, licence."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from undertone_export.graphs import OPSET, write_graphs
from undertone_models.networks.logmel import NORMALISER_SIZE
from undertone_models.networks.streaming import VARIANCE_FLOOR, StreamingNetwork
from undertone_service.bundle.manifest import MANIFEST, Licence, Manifest, StreamingManifest, digest
from undertone_service.bundle.streaming import GRAPHS


def write_bundle(
    network: StreamingNetwork, folder: Path, *, name: str, licence: Licence, training: dict[str, Any]
) -> StreamingManifest:
    """Write a network as a bundle, not yet calibrated; return its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    write_graphs(network, folder)
    manifest = StreamingManifest(
        name=name,
        state_size=network.encoder.state_size,
        carried_state=NORMALISER_SIZE,
        statistics_size=network.encoder.statistics_size,
        pools=network.settings.pools(),
        variance_floor=VARIANCE_FLOOR,
        voiceprint_size=network.settings.voiceprint,
        opset=OPSET,
        digest=digest([folder / graph for graph in GRAPHS]),
        licence=licence,
        training=training | {"network": asdict(network.settings)},
    )
    write_manifest(manifest, folder)
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write ``manifest.json``."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
