"""Training in several processes, a core each, that average their gradients after every step.

Two threads on one batch wait for each other at every layer, and for whatever else the machine does.
"""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn


@dataclass(frozen=True)
class Team:
    """Which of how many processes this is; alone, unless told otherwise."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process keeps the records: one has to."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the team; a missing one counts as 0."""
        if self.size == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(joined)
        joined /= self.size
        parts = torch.split(joined, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def work_as_team(size: int, work: Callable[[Team], None]) -> None:
    """Run ``work`` in ``size`` processes on one thread each, this one leading; in this one where there is no other.

    ``work`` must be picklable. Its errors in this process are raised as they are; the others are ended then.
    """
    if size == 1:
        work(Team())
        return
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        # The first argument of a spawned process is its number, from 0.
        others = spawn(_follow, (size, meeting, work), nprocs=size - 1, join=False)  # type: ignore[no-untyped-call]
        try:
            _join(Team(0, size), meeting, work)
        finally:
            for process in others.processes:
                process.terminate()
                process.join()
            torch.set_num_threads(threads)


def _follow(number: int, size: int, meeting: str, work: Callable[[Team], None]) -> None:
    _join(Team(number + 1, size), meeting, work)


def _join(team: Team, meeting: str, work: Callable[[Team], None]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=team.rank, world_size=team.size)
    try:
        work(team)
        distributed.barrier()  # nobody is ended before all are done
    finally:
        distributed.destroy_process_group()
