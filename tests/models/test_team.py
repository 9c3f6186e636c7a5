"""Processes that train together: each gradient is the mean of theirs, and errors of the leading one come through."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from undertone_models.training.team import Team, work_as_team
from undertone_service.protocol.errors import ErrorCode, UndertoneError


def average(folder: Path, team: Team) -> None:
    known, shared = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, 2))
    shared.grad = torch.full((2, 2), 4.0 * team.rank)
    if team.leads:
        known.grad = torch.ones(2)  # the other process has none
    team.average_gradients([known, shared])
    torch.save({"known": known.grad, "shared": shared.grad}, folder / f"{team.rank}.pt")


def refuse(team: Team) -> None:
    if team.leads:
        raise UndertoneError(ErrorCode.CONFLICT, "Not this run.", "Another one.")


@pytest.mark.parametrize("size", [1, 2])
def test_gradients_are_averaged(tmp_path: Path, size: int) -> None:
    threads = torch.get_num_threads()
    work_as_team(size, partial(average, tmp_path))
    assert torch.get_num_threads() == threads
    for rank in range(size):
        saved = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(saved["known"], torch.full((2,), 1 / size))
        torch.testing.assert_close(saved["shared"], torch.full((2, 2), 4.0 * (size - 1) / size))


@pytest.mark.parametrize("size", [1, 2])
def test_an_error_of_the_leading_process_is_raised_as_it_is(size: int) -> None:
    with pytest.raises(UndertoneError) as refused:
        work_as_team(size, refuse)
    assert refused.value.code is ErrorCode.CONFLICT
