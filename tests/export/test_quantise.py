"""A bundle in 8 bits: a bundle like any other, smaller, with nearly the same answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.small_corpus import cache_in, write_clips
from tests.tiny_bundle import NAME
from tests.voices import conversation, silence, voice
from undertone_client.command_line import main
from undertone_export.comparison import compare
from undertone_export.quantise import quantise
from undertone_export.recordings import answer_sums, sum_recordings
from undertone_service.bundle.library import BundleLibrary
from undertone_service.bundle.manifest import Manifest
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

VOICES = [conversation(), voice(2.0, pitch=190, seed=3), voice(2.5, pitch=95, seed=4), voice(1.5, seed=5)]


@pytest.fixture(scope="module")
def plain(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def small(plain: StreamingBundle, tmp_path_factory: pytest.TempPathFactory) -> StreamingBundle:
    folder = tmp_path_factory.mktemp("quantised") / "tiny-int8"
    quantise(plain, folder, VOICES)
    return StreamingBundle(folder)


def test_it_is_a_bundle_of_its_own(plain: StreamingBundle, small: StreamingBundle) -> None:
    assert BundleLibrary([small.folder.parent]).get("tiny-int8").manifest == small.manifest
    assert small.manifest.digest != plain.manifest.digest
    assert small.manifest.training["quantised"] == {"from": plain.manifest.digest, "recordings": len(VOICES)}
    same = Manifest.model_fields.keys() - {"name", "digest", "training"}
    assert small.manifest.model_dump(include=same) == plain.manifest.model_dump(include=same)
    assert (small.folder / GRAPHS[1]).read_bytes() == (plain.folder / GRAPHS[1]).read_bytes()


def test_only_stem_and_blocks_are_in_8_bits(small: StreamingBundle) -> None:
    model = onnx.load(small.folder / GRAPHS[0])
    kinds = {weight.name: weight.data_type for weight in model.graph.initializer}
    in_8_bits = {name.removesuffix("_quantized") for name in kinds if name.endswith("weight_quantized")}
    assert in_8_bits == {
        "stem.project.weight", "blocks.0.widen.weight", "blocks.0.narrow.weight",
        "blocks.1.widen.weight", "blocks.1.narrow.weight",
    }  # fmt: skip
    assert all(kinds[f"{name}_quantized"] == onnx.TensorProto.INT8 for name in in_8_bits)
    assert kinds["logmel.even"] == onnx.TensorProto.FLOAT
    # Static scales: dynamic ones would depend on who shares the batch.
    assert not {"DynamicQuantizeLinear", "MatMulInteger"} & {node.op_type for node in model.graph.node}


def test_answers_are_nearly_the_same(plain: StreamingBundle, small: StreamingBundle) -> None:
    heard = [voice(2.0, pitch=140, seed=11), silence(0.5), voice(3.0, pitch=220, seed=12)]
    found = compare(small, plain, heard)
    assert found.recordings == 2
    assert 0 < found.emotion < 0.05
    assert 0 < found.gender < 0.05
    assert 0 < found.age < 1
    assert 0.99 < found.voiceprint < 1
    assert 0 < found.size < 1
    assert found.speed_1 > 0
    assert found.speed_64 > 0


def test_a_bundle_differs_in_nothing_from_itself(plain: StreamingBundle) -> None:
    same = compare(plain, plain, VOICES)
    assert (same.size, same.emotion, same.gender, same.age) == (1, 0, 0, 0)
    assert same.voiceprint == pytest.approx(1, abs=1e-5)


def test_a_stream_does_not_depend_on_its_batch(small: StreamingBundle) -> None:
    random = np.random.default_rng(0)
    loud = [
        np.clip(3 * voice(2.0, pitch=90 + 8 * i, seed=20 + i), -1, 1).astype(np.float32) for i in range(10)
    ]
    quiet = [0.003 * voice(2.0, pitch=100 + 9 * i, seed=40 + i) for i in range(10)]
    noisy = [
        voice(2.0, seed=60 + i) + 0.1 * random.standard_normal(32_000).astype(np.float32) for i in range(11)
    ]
    own = voice(2.0, pitch=180, seed=9)
    (alone,) = sum_recordings(small, [own])
    together = next(iter(sum_recordings(small, [own, *loud, *quiet, *noisy])))
    np.testing.assert_allclose(together.statistics, alone.statistics, rtol=1e-4, atol=1e-4)
    one, other = answer_sums(small, [alone, together])
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.voiceprint, one.voiceprint, atol=1e-4)


def refusal(bundle: StreamingBundle, folder: Path, recordings: list[np.ndarray]) -> UndertoneError:  # type: ignore[type-arg]
    with pytest.raises(UndertoneError) as refused:
        quantise(bundle, folder, recordings)
    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert not folder.exists()
    return refused.value


def test_what_cannot_be_quantised_is_refused(
    plain: StreamingBundle, small: StreamingBundle, tmp_path: Path
) -> None:
    assert "No speech" in refusal(plain, tmp_path / "new", [silence(1.0)]).problem
    assert "No speech" in refusal(plain, tmp_path / "new", []).problem
    assert "32 bits" in refusal(small, tmp_path / "new", VOICES).problem
    with pytest.raises(UndertoneError):
        compare(small, plain, [silence(1.0)])


def test_the_command_writes_bundle_card_and_comparison(
    plain: StreamingBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "small"
    old.mkdir()
    for file in plain.folder.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    (old / "CARD.md").write_text(f"# {NAME}\n\n`{plain.manifest.digest}`\n")
    (old / "LICENSE").write_text("none")
    write_clips(tmp_path)
    with cache_in(tmp_path / "cache"):
        words = ["quantise", str(old), "--data", f"labels={tmp_path / 'labels.csv'}"]
        assert main([*words, "--json", str(tmp_path / "quantised.json")]) == 0
    new = tmp_path / "small-int8"
    assert {path.name for path in new.iterdir()} == {*GRAPHS, "manifest.json", "CARD.md", "LICENSE"}
    manifest = StreamingBundle(new).manifest
    assert manifest.name == "small-int8"
    assert manifest.digest in (new / "CARD.md").read_text()
    assert '"kind": "quantised"' in (tmp_path / "quantised.json").read_text()
    assert "size=" in capsys.readouterr().out
