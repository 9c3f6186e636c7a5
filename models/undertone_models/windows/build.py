"""Networks of the published systems by name, and what some of them stand on."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

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
from undertone_models.networks.published.heads import Classes
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
from undertone_models.networks.streaming import StreamingNetwork, StreamingSettings
from undertone_models.training.checkpoints import load_network
from undertone_service.protocol.errors import ErrorCode, UndertoneError


class WindowNetwork(Protocol):
    """What all of them are: samples f32[B, N] -> task outputs."""

    window_samples: int

    def __call__(self, samples: Tensor) -> dict[str, Tensor]:
        """Answer."""


Stand = nn.Module
"""What a network stands on: a frozen encoder, or what makes a representation."""


@dataclass(frozen=True)
class _Kind:
    settings: type[Any]
    make: Callable[..., nn.Module]
    stand: str | None = None


NETWORKS: Mapping[str, _Kind] = {
    "cnn-blstm-attention": _Kind(CnnBlstmAttentionSettings, CnnBlstmAttention),
    "embedding-linear": _Kind(EmbeddingSettings, EmbeddingLinear, "frames"),
    "embedding-lstm": _Kind(EmbeddingSettings, EmbeddingLstm, "frames"),
    "ecapa-tdnn": _Kind(EcapaSettings, EcapaTdnn),
    "xvector": _Kind(XVectorSettings, XVector),
    "persona-mfcc": _Kind(PersonaSettings, Persona, "mfcc"),
    "persona-xvector": _Kind(PersonaSettings, Persona, "xvector"),
    "persona-wavlm": _Kind(PersonaSettings, Persona, "wavlm"),
    "cnn1d": _Kind(Cnn1dSettings, Cnn1d),
    "bilstm-attention": _Kind(BilstmAttentionSettings, BilstmAttention),
    "cnn-transformer": _Kind(CnnTransformerSettings, CnnTransformer),
    "vggvox": _Kind(VggvoxSettings, Vggvox),
    "multifeature": _Kind(MultiFeatureSettings, MultiFeature),
}


def build(name: str, settings: Mapping[str, Any], classes: Classes, stand: Stand | None = None) -> nn.Module:
    """Return an untrained network; ``stand`` is what it stands on, from ``load_stand`` or ``rebuild_stand``.

    Raises:
        UndertoneError: ``bad_request`` for an unknown network or setting, or one without what it stands on.
    """
    kind = _kind(name)
    try:
        known = TypeAdapter(kind.settings).validate_python(dict(settings))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("settings", *first["loc"])))
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"{where}: {first['msg']}.", f"See {kind.settings.__name__}."
        ) from None
    if kind.stand is None:
        return kind.make(known, classes)
    if stand is None:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"The network {name!r} stands on a trained one, and none is given.",
            "Give --encoder: " + _WANTED[kind.stand],
        )
    return kind.make(known, classes, stand)


_WANTED = {
    "frames": "the checkpoint of a run of the recipe `streaming`, or the folder of its bundle.",
    "xvector": "the checkpoint of a run of the recipe `xvector`.",
    "wavlm": "a folder with a WavLM checkpoint in the format of Hugging Face.",
    "mfcc": "nothing.",
}


def load_stand(name: str, encoder: Path | None) -> tuple[Stand | None, dict[str, Any]]:
    """Return what a network stands on, and what a checkpoint has to know to build it again.

    Raises:
        UndertoneError: ``bad_request`` where the file or folder is none of that kind.
    """
    stand = _kind(name).stand
    if stand == "mfcc":
        return MfccStatistics(), {}
    if stand is None or encoder is None:
        return None, {}
    if stand == "wavlm":
        return FrameMean(WavlmFrames(encoder)), {"wavlm": str(encoder)}
    if stand == "frames":
        network = load_network(encoder)
        return StreamingFrames(network.encoder), {"streaming": asdict(network.settings)}
    from undertone_models.windows.checkpoints import load_window_network

    trained, recipe = load_window_network(encoder)
    if not isinstance(trained, XVector):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"{encoder} is a run of {recipe.network!r}.", f"Give {_WANTED['xvector']}"
        )
    trained.speakers = None  # whom it was trained on is of no use here
    return Voiceprint(trained, trained.embed.out_features), {"xvector": dict(recipe.settings)}


def rebuild_stand(name: str, known: Mapping[str, Any]) -> Stand | None:
    """Return what a network stands on, untrained: its weights are part of the network's own checkpoint."""
    stand = _kind(name).stand
    if stand is None:
        return None
    if stand == "mfcc":
        return MfccStatistics()
    if stand == "wavlm":
        return FrameMean(WavlmFrames(Path(known["wavlm"])))
    if stand == "frames":
        return StreamingFrames(StreamingNetwork(StreamingSettings(**known["streaming"])).encoder)
    network = build("xvector", known["xvector"], Classes())
    assert isinstance(network, XVector)
    return Voiceprint(network, network.embed.out_features)


def _kind(name: str) -> _Kind:
    if name not in NETWORKS:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"There is no network {name!r}.", f"Choose one of: {', '.join(NETWORKS)}."
        )
    return NETWORKS[name]
