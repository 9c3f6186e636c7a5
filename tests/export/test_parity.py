"""The parity check passes what is the same, and refuses what is not."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.tiny_bundle import NAME, tiny_network
from tests.voices import conversation, silence, voice
from undertone_export.bundle import write_manifest
from undertone_export.parity import TOLERANCE, check_parity
from undertone_models.networks.streaming import StreamingNetwork
from undertone_service.bundle.manifest import digest
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

HOUR = 700  # steps: enough for two blocks


@pytest.fixture(scope="module")
def network() -> StreamingNetwork:
    return tiny_network()


def changed(folder: Path, to: Path, graph: str, times: float) -> StreamingBundle:
    """Return a copy of a bundle, a graph's matrices ``times`` as large, its manifest none the wiser."""
    shutil.copytree(folder, to)
    model = onnx.load(to / graph)
    for weights in model.graph.initializer:
        if len(weights.dims) == 2:
            values = numpy_helper.to_array(weights) * np.float32(times)
            weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save_model(model, to / graph)
    manifest = StreamingBundle(folder).manifest
    write_manifest(manifest.model_copy(update={"digest": digest([to / name for name in GRAPHS])}), to)
    return StreamingBundle(to)


def test_the_export_of_a_network_is_that_network(bundle_folder: Path, network: StreamingNetwork) -> None:
    recordings = [conversation(), silence(1.0), voice(2.0, pitch=190, seed=3)]
    parity = check_parity(network, StreamingBundle(bundle_folder / NAME), recordings, HOUR)
    for difference in (parity.recordings, parity.silence, parity.hour):
        assert 0 <= difference <= TOLERANCE


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("times", [1.01, float("nan")])
def test_changed_weights_are_refused(
    bundle_folder: Path, network: StreamingNetwork, tmp_path: Path, graph: str, times: float
) -> None:
    bundle = changed(bundle_folder / NAME, tmp_path / NAME, graph, times)
    with pytest.raises(UndertoneError, match="differs from the network") as refused:
        check_parity(network, bundle, [voice(1.5)], 50)
    assert refused.value.code is ErrorCode.INTERNAL


def test_an_unchanged_copy_is_not(bundle_folder: Path, network: StreamingNetwork, tmp_path: Path) -> None:
    for graph in GRAPHS:
        check_parity(network, changed(bundle_folder / NAME, tmp_path / graph, graph, 1.0), [voice(1.5)], 50)


def test_silence_alone_proves_nothing(bundle_folder: Path, network: StreamingNetwork) -> None:
    with pytest.raises(UndertoneError) as refused:
        check_parity(network, StreamingBundle(bundle_folder / NAME), [silence(2.0)], 50)
    assert refused.value.code is ErrorCode.BAD_REQUEST
