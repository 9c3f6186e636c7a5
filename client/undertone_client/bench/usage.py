"""What the server's processes take, as the system counts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True)
class Memory:
    """In bytes: resident, and proportional, which counts pages shared with others in part; None where not told."""

    rss: int
    pss: int | None


class Usage:
    """Of a few processes and their children, together."""

    def __init__(self, parents: Sequence[psutil.Process]) -> None:
        self._parents = parents

    @classmethod
    def listening(cls, port: int) -> Self | None:
        """Look at the processes that listen on a port of this machine; None where we see none."""
        try:
            found = psutil.net_connections(kind="tcp")
        except psutil.AccessDenied:
            return None
        pids = {
            one.pid
            for one in found
            if one.pid and one.status == psutil.CONN_LISTEN and one.laddr.port == port
        }
        return cls([psutil.Process(pid) for pid in sorted(pids)]) if pids else None

    @property
    def processes(self) -> set[psutil.Process]:
        """All that there are now."""
        children = (child for parent in self._parents for child in parent.children(recursive=True))
        return {*self._parents, *children}

    def cpu(self) -> float:
        """Return the seconds of a core that they have used so far."""
        times = [process.cpu_times() for process in self.processes]
        return float(sum(used.user + used.system for used in times))

    def memory(self) -> Memory:
        """Return what they hold now."""
        processes = self.processes
        try:
            full = [process.memory_full_info() for process in processes]
            pss: int | None = sum(held.pss for held in full)
        except (psutil.AccessDenied, AttributeError):  # another user's, or not Linux
            pss = None
        return Memory(sum(process.memory_info().rss for process in processes), pss)
