"""Networks built again from the bundles that they were exported to."""

from pathlib import Path

import numpy as np
import pytest
import torch

import undertone_zoo
from tests.tiny_bundle import NAME, tiny_network
from tests.voices import voice
from undertone_models.networks.logmel import STEP
from undertone_models.networks.published.heads import Classes
from undertone_models.networks.streaming import MASK_FRAMES
from undertone_models.training.bundle_weights import network_of_bundle
from undertone_models.training.checkpoints import load_network
from undertone_models.windows.build import build, load_stand
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

SHIPPED = Path(undertone_zoo.__path__[0]) / "undertone-streaming"


def test_a_bundle_gives_back_the_network_that_was_exported(bundle_folder: Path) -> None:
    wanted = tiny_network().state_dict()
    found = network_of_bundle(bundle_folder / NAME).state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_the_shipped_bundle_answers_as_its_network_does() -> None:
    network, bundle = load_network(SHIPPED), StreamingBundle(SHIPPED)
    samples = voice(0.1, pitch=150, seed=2)[None, :STEP]
    speech, state = np.ones((1, MASK_FRAMES), np.float32), bundle.new_state()[None]
    with torch.no_grad():
        answered = network.encoder(*(torch.from_numpy(one) for one in (samples, speech, state)))
    for got, wanted in zip(bundle.encode(samples, speech, state), answered, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), atol=1e-4, rtol=1e-4)


def test_a_published_system_stands_on_a_bundle() -> None:
    stand, described = load_stand("embedding-linear", SHIPPED)
    network = build("embedding-linear", {"window_samples": 1600}, Classes(emotions=3), stand)
    assert described["streaming"]["width"] == 320
    assert network(torch.zeros(2, 1600))["emotion"].shape == (2, 3)


def test_what_is_no_streaming_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UndertoneError, match="no streaming bundle") as refusal:
        network_of_bundle(tmp_path)
    assert refusal.value.code is ErrorCode.BAD_REQUEST
    (tmp_path / "manifest.json").write_bytes((SHIPPED / "manifest.json").read_bytes())
    (tmp_path / "encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(UndertoneError, match="no streaming bundle"):
        network_of_bundle(tmp_path)
