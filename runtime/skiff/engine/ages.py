"""How long ago, in Docker's words; importable by the client, so it imports nothing."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """A duration as Docker's tables round it."""
    hours = int(seconds / HOUR + 0.5)
    for limit, text in (
        (1, "Less than a second"),
        (2, "1 second"),
        (MINUTE, f"{int(seconds)} seconds"),
        (2 * MINUTE, "About a minute"),
        (HOUR, f"{int(seconds / MINUTE)} minutes"),
    ):
        if seconds < limit:
            return text
    for limit, text in (
        (2, "About an hour"),
        (48, f"{hours} hours"),
        (24 * 14, f"{hours // 24} days"),
        (24 * 60, f"{hours // 24 // 7} weeks"),
        (24 * 730, f"{hours // 24 // 30} months"),
    ):
        if hours < limit:
            return text
    return f"{int(seconds / DAY) // 365} years"
