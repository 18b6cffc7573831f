"""systemd's notification protocol: a datagram of VARIABLE=value lines; nothing happens where nobody listens."""

from __future__ import annotations

import os
import socket
import time


def send(*lines: str) -> None:
    """Tell the service manager; a manager that cannot be reached must not stop the daemon."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto("\n".join(lines).encode(), address)
    except OSError:
        return


def reloading() -> None:
    """Since systemd 253 RELOADING=1 carries the time at which it began."""
    send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def watchdog_seconds() -> float:
    """How often to send WATCHDOG=1, half of what the manager waits; 0 if it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    period = os.environ.get("WATCHDOG_USEC", "")
    return int(period) / 2e6 if period.isdigit() else 0.0
