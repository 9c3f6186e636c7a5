"""The processes that make load, as their parent sees them."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from undertone_client.bench.generator import READY, News, Outcome, Plan, generate
from undertone_client.problems import LocalError

_START_SECONDS = 60.0
_STOP_SECONDS = 2.0
_SOON = 0.2
_LOOK = 0.1


class Generators:
    """One process for each plan, from the block's begin to its end."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._news: dict[Connection, News] = {}
        self._plans = plans
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> Self:
        context = get_context("spawn")  # a fork would carry the parent's threads and event loops along
        for plan in self._plans:
            ours, theirs = context.Pipe()
            process = context.Process(target=generate, args=(plan, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()

    def start(self) -> float:
        """Wait until all are ready; return when, by the monotonic clock that processes share, they start."""
        for pipe in self._pipes:
            if not pipe.poll(_START_SECONDS) or self._received(pipe) != READY:
                raise _broken()
        start = time.monotonic() + _SOON
        for pipe in self._pipes:
            pipe.send(start)
        return start

    @property
    def news(self) -> list[News]:
        """The latest of each process."""
        return list(self._news.values())

    def follow(self, deadline: float) -> Iterator[list[Outcome]]:
        """Yield the outcomes that have come, an empty list every now and then, until there is one of each.

        Raises:
            LocalError: one has ended without, or none came until ``deadline``.
        """
        waiting = list(self._pipes)
        while waiting:
            if time.monotonic() > deadline:
                raise _broken()
            outcomes = []
            for pipe in wait(waiting, timeout=_LOOK):
                assert isinstance(pipe, Connection)
                message = self._received(pipe)
                if isinstance(message, Outcome):
                    waiting.remove(pipe)
                    outcomes.append(message)
                elif isinstance(message, News):
                    self._news[pipe] = message
            yield outcomes

    @staticmethod
    def _received(pipe: Connection) -> object:
        with contextlib.suppress(EOFError, ConnectionError):
            message: object = pipe.recv()
            return message
        raise _broken()


def _broken() -> LocalError:
    return LocalError(
        "A process that makes load has ended or does not answer.",
        "Look for its message above, and run the bench on a machine with time to spare.",
    )
