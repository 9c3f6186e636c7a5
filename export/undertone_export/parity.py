"""Does the bundle compute what the trained network computes? An export that does not is refused.

Differences are |a - b| / max(1, |b|), the largest over statistics and answers. The bundle runs step by step, as it
serves; the network runs whole files, as it was trained.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from undertone_models.networks.sequences import encode_sequences
from undertone_models.networks.streaming import StreamingNetwork, moments
from undertone_service.analysis.sums import SpeechSum
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.speech import ActiveStep, active_steps
from undertone_service.engine import Lane, encode_steps
from undertone_service.protocol.errors import ErrorCode, UndertoneError

TOLERANCE = 1e-4
HOUR_STEPS = 36_000
_BLOCK = 600


@dataclass(frozen=True)
class Parity:
    """Largest differences: on real recordings, on digital silence, and after an hour of one channel."""

    recordings: float
    silence: float
    hour: float


@torch.no_grad()
def check_parity(
    network: StreamingNetwork,
    bundle: StreamingBundle,
    recordings: Sequence[NDArray[np.float32]],
    hour_steps: int = HOUR_STEPS,
) -> Parity:
    """Compare on real recordings f32[n] at 16 kHz; ``hour_steps`` is the length of the long run, in steps of 100 ms.

    Raises:
        UndertoneError: ``internal`` where the difference exceeds 1e-4, ``bad_request`` where no speech is found.
    """
    steps = [found for found in map(active_steps, recordings) if found]
    if not steps:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, "No speech is found in the recordings to compare on.",
            "Give data whose split `valid` holds speech.",
        )  # fmt: skip
    silent = [ActiveStep(i, np.zeros(1600, np.float32), np.ones(5, np.float32), i == 0) for i in range(10)]
    parity = Parity(
        recordings=_worst(_difference(network, bundle, found) for found in track(steps, "Parity")),
        silence=_difference(network, bundle, silent),
        hour=_hour_difference(network, bundle, steps, hour_steps),
    )
    worst = _worst((parity.recordings, parity.silence, parity.hour))
    if not worst <= TOLERANCE:
        raise UndertoneError(
            ErrorCode.INTERNAL,
            f"The exported bundle differs from the network by {worst:.2e} ({parity}).",
            f"At most {TOLERANCE:g} is allowed; look for an operator that the exporter changed.",
        )
    return parity


def _difference(network: StreamingNetwork, bundle: StreamingBundle, steps: Sequence[ActiveStep]) -> float:
    wanted, _ = _whole(network, steps, None)
    lane = Lane(bundle)
    got = np.concatenate([encode_steps(bundle, [lane], [step]) for step in steps])
    answers = _answers(network, bundle, got.sum(axis=0, dtype=np.float64), wanted)
    return _worst((_largest(got, wanted.numpy()), answers))


def _hour_difference(
    network: StreamingNetwork,
    bundle: StreamingBundle,
    recordings: Sequence[Sequence[ActiveStep]],
    length: int,
) -> float:
    """Join recordings to an hour of speech on one channel; compare with the network in float64."""
    steps: list[ActiveStep] = []
    while len(steps) < length:
        for recording in recordings:
            steps += recording
    steps = steps[:length]
    reference = StreamingNetwork(network.settings).double().eval()
    reference.load_state_dict(network.state_dict())
    lane = Lane(bundle)
    total = SpeechSum(bundle.manifest.statistics_size)
    wanted = torch.zeros(bundle.manifest.statistics_size, dtype=torch.float64)
    state = None
    for block in track(list(_blocks(steps)), "An hour"):
        for step in block:
            total.add(encode_steps(bundle, [lane], [step])[0], 0.1)
        statistics, state = _whole(reference, block, state)
        wanted += statistics.sum(dim=0)
    return _answers(reference, bundle, total.statistics, wanted[None])


def _blocks(steps: Sequence[ActiveStep]) -> list[list[ActiveStep]]:
    """Cut between utterances, into blocks of about a minute."""
    blocks: list[list[ActiveStep]] = [[]]
    for step in steps:
        if step.first and len(blocks[-1]) >= _BLOCK:
            blocks.append([])
        blocks[-1].append(step)
    return blocks


def _whole(
    network: StreamingNetwork, steps: Sequence[ActiveStep], state: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the network's statistics f[T, D] and its normaliser's state."""
    kind = network.heads.age_bins.dtype
    samples = torch.from_numpy(np.stack([step.samples for step in steps]))[None].to(kind)
    mask = torch.from_numpy(np.stack([step.mask for step in steps]))[None].to(kind)
    first = torch.tensor([[step.first for step in steps]])
    statistics, _, state = encode_sequences(network.encoder, samples, mask, first, state)
    return statistics[0], state


def _answers(
    network: StreamingNetwork, bundle: StreamingBundle, got: NDArray[np.float64], wanted: torch.Tensor
) -> float:
    sums = wanted.double().sum(dim=0, keepdim=True)
    kind = network.heads.age_bins.dtype
    expected = network.heads(moments(sums, network.settings.pools()).to(kind))
    answer = bundle.answer(got[None])[0]
    pairs = zip((answer.emotion, answer.gender, answer.age, answer.voiceprint), expected, strict=True)
    return _worst(_largest(np.asarray(a), b.numpy()[0]) for a, b in pairs)


def _worst(differences: Iterable[float]) -> float:
    """Return the largest, and not a number where one is none: Python's own max would pass over it."""
    return float(np.max(list(differences)))


def _largest(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.max(np.abs(got - wanted) / np.maximum(1, np.abs(wanted))))
