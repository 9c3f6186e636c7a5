"""The pipeline that the engine is measured against: small here, but all of it is run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from transformers import Wav2Vec2Config

from tests.tiny_bundle import NAME
from tests.voices import SAMPLE_RATE, voice
from undertone_client.command_line import main
from undertone_export import peer_bench
from undertone_export.evaluation.report import Section, read_report
from undertone_export.peer import PeerPipeline, PeerSettings
from undertone_export.peer_bench import Cost, engine_costs, peer_costs
from undertone_models.networks.published.ecapa_tdnn import EcapaSettings
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.engine_bench import dense_speech
from undertone_service.protocol.errors import ErrorCode, UndertoneError

TINY = PeerSettings(
    EcapaSettings(channels=16, pooled=16, bottleneck=8, voiceprint=8),
    Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return dense_speech([voice(6.0, seed=1)])


@pytest.fixture
def own_surroundings() -> Iterator[None]:
    """The command keeps to one core and one thread; the tests that follow need not."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if cores is not None:
        os.sched_setaffinity(0, cores)


def test_it_is_the_pipeline_that_it_says() -> None:
    published = PeerSettings()
    assert published.ecapa.channels == 1024
    base = published.wav2vec2
    assert (base.num_hidden_layers, base.hidden_size, base.num_attention_heads) == (12, 768, 12)
    assert (base.intermediate_size, tuple(base.conv_dim)) == (3072, (512,) * 7)


def test_it_answers_all_questions_and_a_batch_as_its_windows_alone() -> None:
    pipeline = PeerPipeline(TINY).eval()
    windows = torch.from_numpy(np.stack([voice(3.0, seed=seed) for seed in range(3)]))
    with torch.inference_mode():
        together = pipeline(windows)
        alone = [pipeline(window[None]) for window in windows]
    assert {name: tuple(answer.shape) for name, answer in together.items()} == {
        "voiceprint": (3, 8),
        "emotion": (3, 9),
        "gender": (3, 2),
        "age": (3,),
    }
    for name, answer in together.items():
        torch.testing.assert_close(answer, torch.cat([one[name] for one in alone]), atol=1e-4, rtol=1e-3)


@pytest.mark.usefixtures("own_surroundings")
def test_its_cost_is_that_of_all_windows(speech: NDArray[np.float32]) -> None:
    voiceprint, whole, batched = peer_costs(speech, 4, 0.05, TINY)
    assert (voiceprint.streams, whole.streams, batched.streams) == (1, 1, 4)
    assert 0 < voiceprint.cpu < whole.cpu
    assert 0 < batched.cpu < 4 * whole.cpu  # for one stream, not for the batch


@pytest.mark.usefixtures("own_surroundings")
def test_a_window_counts_as_a_hop(speech: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(np.arange(0, 100, 0.25))  # by this clock each batch takes a quarter of a second
    monkeypatch.setattr(peer_bench.time, "process_time", lambda: next(moments))
    _, whole, batched = peer_costs(speech, 5, 1.0, TINY)
    assert whole.cpu == pytest.approx(0.25 / 0.5)
    assert batched.cpu == pytest.approx(0.25 / 0.5 / 5)


def test_the_engine_is_measured_with_what_it_carries(
    bundle_folder: Path, speech: NDArray[np.float32]
) -> None:
    bundle = StreamingBundle(bundle_folder / NAME)
    alone, many = engine_costs(bundle, speech, 4, 3.0, bound_ms=20_000.0)
    assert (alone.streams, many.streams) == (1, 4)
    assert 0 < many.cpu < 1
    with pytest.raises(UndertoneError) as refused:
        engine_costs(bundle, speech, 1, 3.0, bound_ms=0.0)
    assert refused.value.code is ErrorCode.OVERLOADED


def test_costs_are_set_beside_the_engine() -> None:
    assert Cost("peer", 1, 1.5).row(Cost("engine", 100, 0.004)) == {
        "system": "peer",
        "streams": 1,
        "cpu_seconds_a_second": 1.5,
        "streams_a_core": 0.6667,
        "times_the_engine": 375.0,
    }


@pytest.mark.usefixtures("own_surroundings")
def test_the_command_writes_the_table(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERTONE_BUNDLE_DIRS", str(bundle_folder))
    monkeypatch.setenv("UNDERTONE_DEFAULT_BUNDLE", NAME)
    monkeypatch.setattr(peer_bench, "PeerSettings", lambda: TINY)
    monkeypatch.setattr(peer_bench, "_BOUND_MS", 20_000.0)
    cost = peer_bench._cost
    monkeypatch.setattr(peer_bench, "_cost", lambda run, windows, batch, _: cost(run, windows, batch, 0.05))
    soundfile.write(tmp_path / "speech.wav", voice(6.0), SAMPLE_RATE)
    words = ["bench", "--peer", "--speech", str(tmp_path / "speech.wav"), "--streams", "2", "--batch", "2"]
    assert main([*words, "--seconds", "3", "--json", str(tmp_path / "peer.json")]) == 0
    section = read_report(tmp_path / "peer.json")
    assert isinstance(section, Section)
    assert [row["streams"] for row in section.rows] == [1, 1, 2, 1, 2]
    assert section.rows[-1]["times_the_engine"] == 1.0
    assert json.loads((tmp_path / "peer.json").read_text())["kind"] == "peer-bench"
    assert "transformers" in capsys.readouterr().out
    assert main([*words[:-1], "0"]) == 1
