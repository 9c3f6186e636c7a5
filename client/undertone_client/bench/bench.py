"""A bench: numbers of streams tried under the same conditions, each against a server in the same state."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from undertone_client.bench.cores import apart, together
from undertone_client.bench.generator import News
from undertone_client.bench.judgement import Bounds, Trial
from undertone_client.bench.search import largest
from undertone_client.bench.server import Target, own_server, running_server
from undertone_client.bench.trial import Conditions, measure
from undertone_client.bench.voice import enrolled_voice

Show = Callable[[float, Sequence[News]], None]
"""Is told the seconds since the start of a trial, and the latest news of each process."""


class Bench:
    """Measures a server at ``url``, or one of its own, started anew for each trial."""

    def __init__(
        self,
        conditions: Conditions,
        bounds: Bounds,
        speech: NDArray[np.float32],
        url: str | None,
        console: Console,
    ) -> None:
        self._conditions = conditions
        self._bounds = bounds
        self._speech = speech
        self._url = url
        self._console = console
        self._cores = apart() if url is None else together()
        self._unverified = ""

    def run(self, streams: int | None) -> list[Trial]:
        """Try one number of streams, or search the largest that passes; return the trials in the order made."""
        allow_many_sockets()
        return [self._try(streams)] if streams is not None else largest(self._try)

    @property
    def about(self) -> str:
        """How server and load were placed, and whether voices were verified."""
        place = "The server ran already, wherever it is."
        if self._url is None:
            place = f"Server on {_named(self._cores.server)}, load on {_named(self._cores.load)}."
        verification = (
            f"Nothing was verified: {self._unverified}" if self._unverified else "A voice was enrolled."
        )
        return f"{place} {verification}"

    def _try(self, streams: int) -> Trial:
        options = self._conditions.options
        with (
            self._server() as target,
            enrolled_voice(target.url, self._speech, options.sample_rate, options.bundle) as claim,
            self._progress(streams) as show,
        ):
            self._unverified = claim.problem
            verify = (claim.speaker,) if claim.speaker else ()
            conditions = replace(self._conditions, options=options.model_copy(update={"verify": verify}))
            trial = Trial(measure(conditions, streams, target, self._cores, show), self._bounds)
        self._console.print(f"{streams} streams: {trial.verdict}", style=None if trial.passed else "red")
        return trial

    def _server(self) -> AbstractContextManager[Target]:
        if self._url is not None:
            return running_server(self._url)
        return own_server(self._conditions.options.bundle, self._cores.server)

    @contextlib.contextmanager
    def _progress(self, streams: int) -> Iterator[Show]:
        """Draw how far a trial is, where that can be seen."""
        begin, end = self._conditions.measured(streams)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[news]}"))
        terminal = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not terminal) as progress:
            task = progress.add_task(f"{streams} streams", total=end, news="")

            def show(elapsed: float, news: Sequence[News]) -> None:
                state = "measuring" if elapsed >= begin else "opening"
                said = (
                    f"{state}: {sum(one.streams for one in news)} live, {sum(one.results for one in news)} results, "
                    f"slowest {max((one.worst for one in news), default=0.0) * 1000:.0f} ms"
                )
                progress.update(task, completed=min(elapsed, end), news=said)

            yield show


def allow_many_sockets() -> None:
    """Raise the number of files that this process, and those it starts, may open to what the system allows."""
    try:
        import resource
    except ImportError:  # Windows knows no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # some systems call unlimited what they do not allow
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _named(cores: frozenset[int] | None) -> str:
    return "any core" if cores is None else "core " + ", ".join(map(str, sorted(cores)))
