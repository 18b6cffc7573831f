"""The loopback interface of a new network namespace, by ioctl."""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import fcntl
import struct

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def loopback_up() -> None:
    """Set lo of the present network namespace up; it has its addresses then."""
    inet = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(inet.fileno(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    finally:
        inet.close()
