"""How many hosts are in hand at once: those that are heard of, and apart from them those that have fallen silent.

A silent host gives its place to another: hanging hosts hold nobody. All together are bounded, and with them memory and descriptors.
"""

from __future__ import annotations

import os
import resource
import time
from typing import Callable, Dict, NamedTuple, Optional

SILENT = 3.0
# A socket, the two ends of a channel's pipe, an agent's socket, a ProxyCommand's three pipes; twice, for what is only just closed.
DESCRIPTORS = 8
KEPT = 64


class Limits(NamedTuple):
    """`active` hosts that are heard of, `most` with those that are silent."""

    active: int
    most: int


def limits(forks: Optional[int]) -> Limits:
    """The limits of this machine: hosts mostly wait, so many for each processor; and what `ulimit -n` leaves room for."""
    room = max(1, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - KEPT) // DESCRIPTORS)
    active = min(forks or min(64, 16 * (os.cpu_count() or 1)), room)
    return Limits(active, min(active + 512, room))


class Places:
    """The hosts in hand, each with the time when it was last heard of."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._heard: Dict[str, float] = {}

    def take(self, host: str) -> None:
        """A host begins."""
        self._heard[host] = self._clock()

    def hear(self, host: str) -> None:
        """Something was heard of a host."""
        if host in self._heard:
            self._heard[host] = self._clock()

    def leave(self, host: str) -> None:
        """A host is done."""
        self._heard.pop(host, None)

    def free(self) -> int:
        """How many hosts may begin now."""
        since = self._clock() - SILENT
        active = sum(heard > since for heard in self._heard.values())
        return max(0, min(self._limits.active - active, self._limits.most - len(self._heard)))
