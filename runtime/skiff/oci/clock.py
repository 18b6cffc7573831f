"""Time as the documents write it."""

from __future__ import annotations

import time

NANOSECONDS = 1_000_000_000


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 with nanoseconds, in UTC."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def now() -> str:
    """The present."""
    return timestamp(time.time_ns())
