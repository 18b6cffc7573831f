"""eventfd(2), which Python has only since 3.10."""

from __future__ import annotations

import os

from skiff.linux.libc import LIBC, check


def eventfd() -> int:
    """A counter at 0, read without waiting."""
    return check(LIBC.eventfd(0, os.O_CLOEXEC | os.O_NONBLOCK), "eventfd")


def take(fd: int) -> int:
    """What it counted since the last time."""
    try:
        return int.from_bytes(os.read(fd, 8), "little")
    except BlockingIOError:
        return 0
