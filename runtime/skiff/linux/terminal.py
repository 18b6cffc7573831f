"""Pseudo-terminals by ioctl."""

from __future__ import annotations

import fcntl
import os
import struct

_TIOCSCTTY = 0x540E
_TIOCSWINSZ = 0x5414
_TIOCGWINSZ = 0x5413
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_SIZE = struct.Struct("HHHH")


def other_end(master: int) -> int:
    """The end for the program, unlocked and opened without a path that an image could replace."""
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def resize(fd: int, rows: int, columns: int) -> None:
    """Set the window's size."""
    fcntl.ioctl(fd, _TIOCSWINSZ, _SIZE.pack(rows, columns, 0, 0))


def size(fd: int) -> tuple[int, int]:
    """Rows and columns."""
    rows, columns, _, _ = _SIZE.unpack(fcntl.ioctl(fd, _TIOCGWINSZ, bytes(_SIZE.size)))
    return rows, columns


def take_control(fd: int) -> None:
    """Make it this session's terminal."""
    fcntl.ioctl(fd, _TIOCSCTTY, 0)
