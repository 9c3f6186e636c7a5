"""The loss of each task, over the examples whose label is known."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_models.networks.streaming import AGE_BINS, mask_overlap
from undertone_models.training.batches import UNKNOWN, Batch


@dataclass(frozen=True)
class LossSettings:
    """Weights of the tasks and the constants of their losses."""

    emotion: float = 1.0
    gender: float = 0.3
    age: float = 0.5
    speaker: float = 1.0
    taught: float = 1.0
    speech: float = 0.5
    age_deviation: float = 4.0
    """Years of spread of the target over the age bins."""
    age_absolute: float = 0.05
    """Weight of the absolute error in years, beside the distribution's cross-entropy."""
    margin: float = 0.2
    scale: float = 30.0
    smoothing: float = 0.05
    open_choice: float = 0.3
    """Weight of the emotion loss among all nine labels, beside that among the labels that the corpus has: a live
    answer chooses among all nine, and an actor asked for one of six was asked for none of the other three."""


class AngularMargin(nn.Module):
    """Additive angular margin softmax over speakers (Deng et al. 2019, equation 3)."""

    def __init__(self, size: int, speakers: int, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(speakers, size) / math.sqrt(size))
        self.scale = scale

    def forward(self, voiceprints: Tensor, speaker: Tensor, margin: float) -> Tensor:
        """Return the mean loss; voiceprints f32[N, V] of unit length, speaker i64[N], margin in radians."""
        cosine = voiceprints @ functional.normalize(self.centres, dim=1).T
        own = cosine.gather(1, speaker[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        with_margin = torch.where(
            own > math.cos(math.pi - margin),
            torch.cos(torch.acos(own) + margin),
            own - margin * math.sin(margin),
        )
        logits = cosine.scatter(1, speaker[:, None], with_margin)
        return functional.cross_entropy(self.scale * logits, speaker)


class Student(nn.Module):
    """Learns a teacher's voiceprints: the voiceprint, mapped to the teacher's space, should point where his does.

    ``mean`` f32[256] is the mean of the teacher's voiceprints: without it they all point much the same way.
    """

    def __init__(self, size: int, mean: Tensor) -> None:
        super().__init__()
        self.map = nn.Linear(size, len(mean))
        self.mean: Tensor
        self.register_buffer("mean", mean)

    def forward(self, voiceprints: Tensor, taught: Tensor) -> Tensor:
        """Return the mean of 1 - cosine over the examples that were taught; f32[N, V], f32[N, 256]."""
        known = taught.any(dim=1)
        if not known.any():
            return voiceprints.sum() * 0
        cosine = functional.cosine_similarity(self.map(voiceprints[known]), taught[known] - self.mean)
        return 1 - cosine.mean()


def task_losses(
    outputs: dict[str, Tensor],
    speech_logits: Tensor,
    batch: Batch,
    margin: AngularMargin,
    student: Student,
    radians: float,
    settings: LossSettings,
) -> dict[str, Tensor]:
    """Return the unweighted loss of each task; 0 where the batch holds no label for it.

    ``outputs`` as of ``Heads.logits``; ``speech_logits`` f32[B, T, 2]; ``radians`` is the margin now in force.
    """
    return {
        "emotion": _emotion(outputs["emotion"], batch, settings),
        "gender": functional.cross_entropy(
            outputs["gender"], batch.gender, ignore_index=UNKNOWN, reduction="sum"
        )
        / (batch.gender != UNKNOWN).sum().clamp(min=1),
        "age": _age(outputs["age"], batch.age, settings),
        "speaker": _speaker(outputs["voiceprint"], batch.speaker, margin, radians),
        "taught": student(outputs["voiceprint"], batch.taught),
        "speech": _speech(speech_logits, batch),
    }


def _emotion(logits: Tensor, batch: Batch, settings: LossSettings) -> Tensor:
    """Cross-entropy among the emotions that the example's corpus has, and among all."""
    known = batch.emotion != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    logits, truth, allowed = logits[known], batch.emotion[known], batch.allowed[known]
    closed = _smoothed(logits, truth, allowed, settings.smoothing)
    free = _smoothed(logits, truth, torch.ones_like(allowed), settings.smoothing)
    return (1 - settings.open_choice) * closed + settings.open_choice * free


def _smoothed(logits: Tensor, truth: Tensor, allowed: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy with label smoothing among the allowed classes, bool[N, classes]."""
    logs = functional.log_softmax(logits.masked_fill(~allowed, -1e4), dim=1)
    target = (1 - smoothing) * functional.one_hot(truth, logits.shape[1])
    target = target + smoothing * allowed / allowed.sum(dim=1, keepdim=True)
    return -(target * logs).masked_fill(~allowed, 0).sum(dim=1).mean()


def _age(logits: Tensor, age: Tensor, settings: LossSettings) -> Tensor:
    """Cross-entropy with a bell round the true age (Gao et al. 2017), plus the mean's absolute error."""
    known = ~torch.isnan(age)
    if not known.any():
        return logits.sum() * 0
    years = age[known, None]
    target = torch.softmax(-((AGE_BINS - years) ** 2) / (2 * settings.age_deviation**2), dim=1)
    logs = functional.log_softmax(logits[known], dim=1)
    mean = (logs.exp() * AGE_BINS).sum(dim=1, keepdim=True)
    return -(target * logs).sum(dim=1).mean() + settings.age_absolute * (mean - years).abs().mean()


def _speaker(voiceprints: Tensor, speaker: Tensor, margin: AngularMargin, radians: float) -> Tensor:
    known = speaker != UNKNOWN
    loss: Tensor = (
        margin(voiceprints[known], speaker[known], radians) if known.any() else voiceprints.sum() * 0
    )
    return loss


def _speech(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the network's frames, each with the part of its heard frames that is speech."""
    overlap = mask_overlap()
    heard, speech = batch.mask @ overlap, (batch.mask * batch.speech) @ overlap
    truth = speech / heard.clamp(min=1e-6)
    losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (losses * heard).sum() / heard.sum()
