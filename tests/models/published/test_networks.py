"""Published networks: shapes, gradients, independence of the batch, sizes, and the same answers from ONNX."""

import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from tests.tiny_bundle import SETTINGS, tiny_network
from tests.voices import voice
from undertone_export.graphs import OPSET
from undertone_models.networks.logmel import NORMALISER_SIZE, STEP
from undertone_models.networks.published.cnn_blstm_attention import (
    CnnBlstmAttention,
    CnnBlstmAttentionSettings,
)
from undertone_models.networks.published.ecapa_tdnn import EcapaSettings, EcapaTdnn
from undertone_models.networks.published.embedding_heads import (
    EmbeddingLinear,
    EmbeddingLstm,
    EmbeddingSettings,
)
from undertone_models.networks.published.emotion_1d import (
    BilstmAttention,
    BilstmAttentionSettings,
    Cnn1d,
    Cnn1dSettings,
    CnnTransformer,
    CnnTransformerSettings,
)
from undertone_models.networks.published.encoders import StreamingFrames
from undertone_models.networks.published.front_ends import standardised
from undertone_models.networks.published.heads import TYPICAL_AGE, Classes
from undertone_models.networks.published.multifeature import MultiFeature, MultiFeatureSettings
from undertone_models.networks.published.persona import (
    FrameMean,
    MfccStatistics,
    Persona,
    PersonaSettings,
    Voiceprint,
)
from undertone_models.networks.published.vggvox import Vggvox, VggvoxSettings
from undertone_models.networks.published.wavlm import WavlmFrames
from undertone_models.networks.published.xvector import XVector, XVectorSettings
from undertone_models.networks.sequences import spectral_views
from undertone_models.windows.build import build, load_stand
from undertone_service.protocol.errors import UndertoneError

WINDOW = 16000
THREE = Classes(emotions=6, genders=2, age_bands=5)
YEARS = Classes(emotions=6, genders=2, years=True)
EMOTION = Classes(emotions=8)
SPEAKERS = Classes(speakers=4)


def streaming_frames() -> StreamingFrames:
    return StreamingFrames(tiny_network().encoder)


def tiny_xvector(classes: Classes) -> XVector:
    return XVector(XVectorSettings(WINDOW, channels=(8, 8, 8, 8, 12), voiceprint=10), classes)


def tiny_persona(
    representation: MfccStatistics | Voiceprint | FrameMean, filters: tuple[int, ...] = (4, 8)
) -> Persona:
    return Persona(PersonaSettings(WINDOW, filters, (12, 10, 8)), YEARS, representation)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cnn_blstm_attention": lambda: CnnBlstmAttention(
        CnnBlstmAttentionSettings(WINDOW, filters=(6, 6, 8), hidden=6, attention=8, attention_heads=3), THREE
    ),
    "embedding_linear": lambda: EmbeddingLinear(EmbeddingSettings(WINDOW, 12), THREE, streaming_frames()),
    "embedding_lstm": lambda: EmbeddingLstm(EmbeddingSettings(WINDOW, 12, lstm=6), THREE, streaming_frames()),
    "ecapa_tdnn": lambda: EcapaTdnn(
        EcapaSettings(WINDOW, channels=16, scale=4, bottleneck=8, pooled=16, voiceprint=10), SPEAKERS
    ),
    "xvector": lambda: tiny_xvector(SPEAKERS),
    "persona_cnn_mfcc": lambda: tiny_persona(MfccStatistics()),
    "persona_fcn_xvector": lambda: tiny_persona(Voiceprint(tiny_xvector(Classes()), 10), filters=()),
    "persona_cnn_frames": lambda: tiny_persona(FrameMean(streaming_frames())),
    "cnn1d_mfcc": lambda: Cnn1d(Cnn1dSettings(WINDOW, filters=(6, 8, 8)), EMOTION),
    "bilstm_attention": lambda: BilstmAttention(
        BilstmAttentionSettings(WINDOW, hidden=6, attention=6), EMOTION
    ),
    "cnn_transformer": lambda: CnnTransformer(
        CnnTransformerSettings(WINDOW, filters=(4, 6, 6), width=8, attention_heads=2, hidden=16, layers=2),
        EMOTION,
    ),
    "vggvox": lambda: Vggvox(
        VggvoxSettings(WINDOW, (4, 6, 6, 6, 6), fc6=16, fc7=12), Classes(emotions=6, speakers=4)
    ),
    "multifeature": lambda: MultiFeature(
        MultiFeatureSettings(WINDOW, filters=(4, 6), hidden=8, dense=12), Classes(sex_emotions=14)
    ),
    "multifeature_mel": lambda: MultiFeature(
        MultiFeatureSettings(WINDOW, "mel", attention=False, filters=(4, 6), hidden=8, dense=12),
        Classes(sex_emotions=14),
    ),
}
Shapes = dict[str, tuple[int, ...]]
CLASSIFIED: Shapes = {"emotion": (6,), "gender": (2,), "age_band": (5,)}
AGED: Shapes = {"emotion": (6,), "gender": (2,), "age": ()}
VOICES: Shapes = {"voiceprint": (10,), "speaker": (4,)}
ANSWERS: dict[str, Shapes] = {
    "cnn_blstm_attention": CLASSIFIED,
    "embedding_linear": CLASSIFIED,
    "embedding_lstm": CLASSIFIED,
    "ecapa_tdnn": VOICES,
    "xvector": VOICES,
    "persona_cnn_mfcc": AGED,
    "persona_fcn_xvector": AGED,
    "persona_cnn_frames": AGED,
    "cnn1d_mfcc": {"emotion": (8,)},
    "bilstm_attention": {"emotion": (8,)},
    "cnn_transformer": {"emotion": (8,)},
    "vggvox": {"voiceprint": (12,), "emotion": (6,), "speaker": (4,)},
    "multifeature": {"sex_emotion": (14,)},
    "multifeature_mel": {"sex_emotion": (14,)},
}


@pytest.fixture(scope="module")
def samples() -> Tensor:
    """Three voices, the last padded in front."""
    rows = [voice(1.0, pitch=90 + 60 * seed, seed=seed) for seed in range(3)]
    rows[2][:6000] = 0
    return torch.from_numpy(np.stack(rows))


@pytest.fixture(params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def network(name: str, samples: Tensor) -> nn.Module:
    """A network in evaluation mode that has once heard these samples in training, as its batch norms need."""
    torch.manual_seed(1)
    network = NETWORKS[name]().train()
    with torch.no_grad():
        network(samples)
    return network.eval()


def test_shapes_and_independence_of_the_batch(network: nn.Module, name: str, samples: Tensor) -> None:
    assert network.window_samples == WINDOW
    with torch.no_grad():
        together = network(samples)
        alone = [network(row[None]) for row in samples]
    assert {key: value.shape[1:] for key, value in together.items()} == ANSWERS[name]
    for key, value in together.items():
        assert value.isfinite().all()
        torch.testing.assert_close(torch.cat([one[key] for one in alone]), value, atol=1e-4, rtol=1e-4)


def test_gradient_reaches_every_parameter(name: str, samples: Tensor) -> None:
    torch.manual_seed(2)
    network = NETWORKS[name]().train()
    # More than three clips, or a batch norm of a clip's vector would see next to no variance.
    clips = torch.cat([samples, samples.roll(1, dims=0) + samples, 0.3 * samples.flip(1)])
    sum((value * torch.randn_like(value)).sum() for value in network(clips).values()).backward()
    learning = {key: p for key, p in network.named_parameters() if p.requires_grad}
    assert learning
    assert [key for key, p in learning.items() if p.grad is None or not p.grad.abs().max() > 1e-9] == []


def test_onnx_gives_the_same_answers(network: nn.Module, samples: Tensor, tmp_path: Path) -> None:
    outputs = list(network(samples))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            network,
            (samples[:2],),
            tmp_path / "model.onnx",
            dynamo=True,
            opset_version=OPSET,
            input_names=["samples"],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            optimize=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        with torch.no_grad():
            expected = network(samples[:count])
        answers = session.run(outputs, {"samples": samples[:count].numpy()})
        for key, answer in zip(outputs, answers, strict=True):
            np.testing.assert_allclose(answer, expected[key].numpy(), atol=1e-4, rtol=1e-4, err_msg=key)


def test_streaming_frames_are_those_of_the_streaming_network(samples: Tensor) -> None:
    frames = streaming_frames()
    encoder, steps = frames.module, samples[:2].reshape(2, -1, STEP)
    mask, first = torch.ones(*steps.shape[:2], 5), torch.zeros(steps.shape[:2], dtype=torch.bool)
    first[:, 0] = True
    with torch.no_grad():
        views, _ = spectral_views(encoder, steps, mask, first, torch.zeros(2, NORMALISER_SIZE))
        expected, _, _ = encoder.frames(views.flatten(1, 2), encoder.empty_caches(2))
        vectors = frames(samples[:2])
    assert vectors.shape == (2, 20, SETTINGS.width)
    torch.testing.assert_close(vectors, expected, atol=1e-4, rtol=1e-4)


def test_padding_changes_no_representation(samples: Tensor) -> None:
    padded = torch.nn.functional.pad(samples[:1], (4 * STEP, 0))
    mfcc, frames = MfccStatistics(), streaming_frames()
    torch.testing.assert_close(mfcc(padded), mfcc(samples[:1]), atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        # The last frames, whose convolutions do not reach back to the edge.
        torch.testing.assert_close(frames(padded)[:, -4:], frames(samples[:1])[:, -4:], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["xvector", "ecapa_tdnn"])
def test_padding_is_no_part_of_a_voiceprint(name: str, samples: Tensor) -> None:
    torch.manual_seed(0)
    network, short = NETWORKS[name]().eval(), samples[:2]
    with torch.no_grad():
        alone = network(short)["voiceprint"]
        padded = network(torch.nn.functional.pad(short, (2 * WINDOW, 0)))["voiceprint"]
        silence = network(torch.zeros_like(short))["voiceprint"]
    # Only the convolutions at the edge tell the two apart.
    assert (torch.cosine_similarity(alone, padded) > 0.95).all()
    assert silence.isfinite().all()


def test_encoders_stay_as_they_are(samples: Tensor) -> None:
    network = NETWORKS["persona_fcn_xvector"]().train()
    representation = network.get_submodule("front")
    assert not any(module.training for module in representation.modules())
    before = {key: value.clone() for key, value in representation.state_dict().items()}
    network(samples)["emotion"].sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in representation.state_dict().items())
    assert all(p.grad is None for p in representation.parameters())


def test_only_what_is_asked_for_is_answered(samples: Tensor) -> None:
    assert list(tiny_xvector(Classes())(samples)) == ["voiceprint"]
    ecapa = EcapaTdnn(EcapaSettings(channels=16, pooled=16, bottleneck=8), Classes())
    assert list(ecapa(samples)) == ["voiceprint"]
    alone = Vggvox(VggvoxSettings(WINDOW, (2, 2, 2, 2, 2), 4, 4), Classes(emotions=6))
    assert list(alone(samples)) == ["voiceprint", "emotion"]


def test_ages_start_from_a_typical_one(samples: Tensor) -> None:
    ages = tiny_persona(MfccStatistics())(samples)["age"]
    assert (ages - TYPICAL_AGE).abs().max() < 10


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_published_sizes() -> None:
    """Of the papers: ECAPA-TDNN 6.2 M and 14.7 M without speakers; the x-vector network 4.2 M."""
    assert parameters(EcapaTdnn(EcapaSettings(), Classes())) == pytest.approx(6.2e6, rel=0.02)
    assert parameters(EcapaTdnn(EcapaSettings(channels=1024), Classes())) == pytest.approx(14.7e6, rel=0.02)
    assert parameters(XVector(XVectorSettings(), Classes())) == pytest.approx(4.2e6, rel=0.02)


def tiny_wavlm(folder: Path, norm: str) -> Path:
    """Write a small WavLM with random weights, as Hugging Face has them."""
    transformers = importlib.import_module("transformers")
    config = transformers.WavLMConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, feat_extract_norm=norm,
    )  # fmt: skip
    transformers.WavLMModel(config).save_pretrained(folder)
    return folder


def test_wavlm_without_transformers_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UndertoneError, match="transformers"):
        WavlmFrames(Path("nowhere"))


@pytest.mark.filterwarnings("ignore")  # those of transformers
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_wavlm_hears_what_its_checkpoint_was_trained_on(tmp_path: Path, samples: Tensor, norm: str) -> None:
    frames = WavlmFrames(tiny_wavlm(tmp_path / "checkpoint", norm))
    assert frames.width == 16
    heard, louder = frames(samples), frames(4 * samples)
    assert heard.shape == (3, 1 + (samples.shape[1] - 400) // 320, 16)
    # Checkpoints of standardised waveforms do not hear how loud it is; the others are given the samples as they are.
    standard = samples if norm == "group" else standardised(samples, (1,))
    torch.testing.assert_close(heard, frames.module(standard).last_hidden_state)
    if norm == "layer":
        torch.testing.assert_close(louder, heard, atol=1e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")  # those of transformers
def test_persona_stands_on_a_wavlm_checkpoint(tmp_path: Path, samples: Tensor) -> None:
    stand, described = load_stand("persona-wavlm", tiny_wavlm(tmp_path / "checkpoint", "group"))
    persona = build("persona-wavlm", {"window_samples": WINDOW}, Classes(emotions=6), stand)
    assert persona(samples)["emotion"].shape == (3, 6)
    assert described == {"wavlm": str(tmp_path / "checkpoint")}
    with pytest.raises(UndertoneError, match="checkpoint"):
        WavlmFrames(tmp_path)
