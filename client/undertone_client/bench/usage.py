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
    """Of a few processes together."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes

    @classmethod
    def of(cls, pid: int) -> Self:
        """Look at a process and its children."""
        parent = psutil.Process(pid)
        return cls([parent, *parent.children(recursive=True)])

    @classmethod
    def listening(cls, port: int) -> Self | None:
        """Look at the processes of ours that listen on a port of this machine; None where there are none."""
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

    def cpu(self) -> float:
        """Return the seconds of a core that they have used so far."""
        times = [process.cpu_times() for process in self._processes]
        return float(sum(used.user + used.system for used in times))

    def memory(self) -> Memory:
        """Return what they hold now."""
        try:
            full = [process.memory_full_info() for process in self._processes]
            pss: int | None = sum(held.pss for held in full)
        except (psutil.AccessDenied, AttributeError):  # another user's, or not Linux
            pss = None
        return Memory(sum(process.memory_info().rss for process in self._processes), pss)
