"""Two ways to do the same, measured in turn, so that a machine whose speed drifts is as fast or slow for both."""

from __future__ import annotations

import statistics
import time
from typing import Callable, List

ROUNDS = 20


def timed(action: Callable[[], object]) -> float:
    """Wall milliseconds."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def compare(title: str, ours: Callable[[], object], peer: Callable[[], object], rounds: int = ROUNDS) -> str:
    """A line with both medians and the median of the ratios, pair by pair; the first pair warms up and is not counted."""
    mine: List[float] = []
    theirs: List[float] = []
    for _ in range(rounds + 1):
        mine.append(timed(ours))
        theirs.append(timed(peer))
    ratio = statistics.median(a / b for a, b in zip(mine[1:], theirs[1:]))
    medians = [statistics.median(times[1:]) for times in (mine, theirs)]
    return f"{title}: {medians[0]:.1f} ms, peer {medians[1]:.1f} ms, ratio {ratio:.2f} ({rounds} pairs)"
