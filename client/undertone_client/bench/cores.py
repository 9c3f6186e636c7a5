"""Which cores the server and the load run on, where the system lets a program choose."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """``server`` has one core, the ``load`` the others; None where it is left to the system."""

    server: frozenset[int] | None
    load: frozenset[int] | None
    generators: int
    """Processes that make load."""


def apart() -> Cores:
    """Give the server the last core and the load the others; with a single core they share it."""
    if not hasattr(os, "sched_setaffinity"):
        return Cores(None, None, max(1, (os.cpu_count() or 1) - 1))
    cores = os.sched_getaffinity(0)
    last = max(cores)
    others = frozenset(cores - {last}) or frozenset(cores)
    return Cores(frozenset({last}), others, len(others))


def together() -> Cores:
    """Leave it to the system: the server is not ours to place."""
    return Cores(None, None, os.cpu_count() or 1)


@contextlib.contextmanager
def pinned(cores: frozenset[int] | None) -> Iterator[None]:
    """Keep this thread, and the processes that it starts, on some cores until the block ends."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
