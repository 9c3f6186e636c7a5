"""What a network costs: its parameters, and its multiply-adds for a second of speech."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from undertone_models.networks.logmel import SAMPLE_RATE, STEP
from undertone_models.networks.streaming import MASK_FRAMES, StreamingNetwork
from undertone_service.protocol.errors import ErrorCode, UndertoneError

MOST_PARAMETERS = 3_000_000
MOST_MULTIPLY_ADDS = 80_000_000
_STEPS_A_SECOND = SAMPLE_RATE // STEP
_ANSWERS_A_SECOND = 2


@dataclass(frozen=True)
class Budget:
    """``multiply_adds``: of matrix products and convolutions, a second of speech, with heads twice a second."""

    parameters: int
    multiply_adds: int


@torch.no_grad()
def check_budget(network: StreamingNetwork) -> Budget:
    """Count.

    Raises:
        UndertoneError: ``internal`` where the network exceeds 3 million parameters or 80 million multiply-adds.
    """
    encoder = network.encoder
    step = (torch.zeros(1, STEP), torch.ones(1, MASK_FRAMES), torch.zeros(1, encoder.state_size))
    budget = Budget(
        sum(weights.numel() for weights in network.parameters()),
        _STEPS_A_SECOND * _multiply_adds(encoder, *step)
        + _ANSWERS_A_SECOND * _multiply_adds(network.heads, torch.ones(1, encoder.statistics_size)),
    )
    if budget.parameters > MOST_PARAMETERS or budget.multiply_adds > MOST_MULTIPLY_ADDS:
        raise UndertoneError(
            ErrorCode.INTERNAL,
            f"The network has {budget.parameters:,} parameters and {budget.multiply_adds:,} multiply-adds a second.",
            f"A streaming bundle has at most {MOST_PARAMETERS:,} and {MOST_MULTIPLY_ADDS:,}: make it smaller.",
        )
    return budget


def _multiply_adds(module: torch.nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2
