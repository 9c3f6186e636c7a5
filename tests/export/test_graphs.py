"""Exported graphs against the network, and what a bundle's files say."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.tiny_bundle import NAME, tiny_network
from tests.voices import conversation, silence, voice
from undertone_export.graphs import OPSET
from undertone_export.recordings import answer_sums, sum_recordings
from undertone_models.networks.sequences import encode_sequences
from undertone_models.networks.streaming import StreamingNetwork
from undertone_service.bundle.bundle import read_manifest
from undertone_service.bundle.library import BundleLibrary
from undertone_service.bundle.manifest import MANIFEST, StreamingManifest
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle, moments
from undertone_service.dsp.speech import active_steps
from undertone_service.engine import DirectRunner, Lane, encode_steps
from undertone_service.offline import encode_recording
from undertone_service.protocol.errors import ErrorCode, UndertoneError


@pytest.fixture(scope="module")
def network() -> StreamingNetwork:
    return tiny_network()


@pytest.fixture(scope="module")
def folder(bundle_folder: Path) -> Path:
    return bundle_folder / NAME


@pytest.fixture(scope="module")
def bundle(folder: Path) -> StreamingBundle:
    return StreamingBundle(folder)


def test_the_served_encoder_equals_the_network_over_a_whole_recording(
    network: StreamingNetwork, bundle: StreamingBundle
) -> None:
    steps = active_steps(conversation())
    lane = Lane(bundle)
    served = np.stack([encode_steps(bundle, [lane], [step])[0] for step in steps])
    samples, mask, first = (
        torch.from_numpy(np.stack([getattr(step, name) for step in steps]))[None]
        for name in ("samples", "mask", "first")
    )
    with torch.no_grad():
        trained, _, normaliser = encode_sequences(network.encoder, samples, mask, first)
    np.testing.assert_allclose(served, trained[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(lane.state[: normaliser.shape[1]], normaliser[0], rtol=1e-4, atol=1e-4)


def test_the_served_heads_equal_the_network(network: StreamingNetwork, bundle: StreamingBundle) -> None:
    totals = list(sum_recordings(bundle, [voice(2.0), voice(1.0, pitch=230), conversation()]))
    sums = np.stack([total.statistics for total in totals])
    manifest = bundle.manifest
    stats = moments(sums, list(manifest.pools.values()), manifest.variance_floor)
    with torch.no_grad():
        emotion, gender, age, voiceprint = network.heads(torch.from_numpy(stats))
    for i, found in enumerate(bundle.answer(sums)):
        np.testing.assert_allclose(found.emotion, emotion[i], atol=1e-4)
        np.testing.assert_allclose(found.gender, gender[i], atol=1e-4)
        np.testing.assert_allclose(found.voiceprint, voiceprint[i], atol=1e-4)
        assert found.age == pytest.approx(float(age[i]), abs=1e-3)
        assert found.emotion.sum() == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(found.voiceprint) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_any_batch_size(bundle: StreamingBundle, batch: int) -> None:
    state = np.tile(bundle.new_state(), (batch, 1))
    samples = np.tile(voice(0.1), (batch, 1))
    statistics, after = bundle.encode(samples, np.ones((batch, 5), np.float32), state)
    assert statistics.shape == (batch, bundle.manifest.statistics_size)
    assert after.shape == (batch, bundle.manifest.state_size)
    assert len(bundle.answer(statistics.astype(np.float64))) == batch


async def test_recordings_in_a_batch_equal_recordings_alone(bundle: StreamingBundle) -> None:
    recordings = [conversation(), silence(1.0), voice(1.5), np.zeros(0, np.float32), 0.05 * voice(3.0)]
    totals = list(sum_recordings(bundle, recordings))
    for samples, total in zip(recordings, totals, strict=True):
        alone, _ = await encode_recording(bundle, DirectRunner(), samples, 16000)
        assert total.speech == pytest.approx(alone.speech)
        np.testing.assert_allclose(total.statistics, alone.statistics, rtol=1e-4, atol=1e-3)
    answers = answer_sums(bundle, totals)
    assert [answer is None for answer in answers] == [False, True, False, True, False]
    assert answer_sums(bundle, totals[1:2]) == [None]


@pytest.mark.parametrize("graph", GRAPHS)
def test_graphs_keep_their_opset_and_tell_nothing_of_the_machine_that_made_them(
    folder: Path, graph: str
) -> None:
    model = onnx.load(folder / graph)
    assert [(o.domain, o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")] == [("", OPSET)]
    content = (folder / graph).read_bytes()
    for trace in (str(Path.home()).encode(), b".py", b"site-packages", b"torch/"):
        assert trace not in content


def test_the_manifest_speaks_of_its_graphs(folder: Path, network: StreamingNetwork) -> None:
    manifest = read_manifest(folder, StreamingManifest, GRAPHS)
    assert manifest.state_size == network.encoder.state_size
    assert manifest.statistics_size == network.encoder.statistics_size
    assert manifest.pools == network.settings.pools()
    assert manifest.opset == OPSET


def copy_of(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in (*GRAPHS, MANIFEST):
        (to / file).write_bytes((folder / file).read_bytes())
    return to


def refusal(folder: Path) -> UndertoneError:
    with pytest.raises(UndertoneError) as refused:
        read_manifest(folder, StreamingManifest, GRAPHS)
    assert refused.value.code is ErrorCode.UNKNOWN_BUNDLE
    return refused.value


def test_bundles_that_are_not_whole_are_refused(folder: Path, tmp_path: Path) -> None:
    changed = copy_of(folder, tmp_path / "changed")
    with (changed / GRAPHS[1]).open("ab") as file:
        file.write(b"\0")
    assert "not those" in refusal(changed).problem
    missing = copy_of(folder, tmp_path / "missing")
    (missing / GRAPHS[0]).unlink()
    refusal(missing)
    broken = copy_of(folder, tmp_path / "broken")
    (broken / MANIFEST).write_text('{"name": "broken"}')
    refusal(broken)
    refusal(tmp_path / "nowhere")


def test_the_library_answers_by_name(folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    manifest = StreamingManifest.model_validate_json((other / MANIFEST).read_bytes())
    (other / MANIFEST).write_text(manifest.model_copy(update={"name": "other"}).model_dump_json())
    library = BundleLibrary([folder.parent, tmp_path], "other")
    assert {bundle.manifest.name for bundle in library} == {NAME, "other"}
    assert library.get(None) is library.get("other") is library.default
    assert library.get(NAME).manifest.name == NAME
    with pytest.raises(UndertoneError, match="'third'"):
        library.get("third")
    with pytest.raises(UndertoneError, match="none at all"):
        BundleLibrary([tmp_path / "empty"])
    assert BundleLibrary([folder.parent]).default.manifest.name == NAME
