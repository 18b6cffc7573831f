"""The sizes of a rollout's batches."""

from __future__ import annotations

from typing import List, Sequence

from fleet.share import Share


def sizes(text: str) -> List[Share]:
    """The sizes of batches in `1,10%,50%`.

    Raises:
        UsageError: one is none.
    """
    return [Share.parse("--batch", word, 1) for word in text.split(",")]


def size(found: Sequence[Share], number: int, total: int) -> int:
    """How many hosts the batch of this number has, counted from 1; the last size is every later one's."""
    return found[min(number, len(found)) - 1].at_least(total)
