"""Descriptors that the caller passes on to the container's program: --preserve-fds, and systemd's socket activation."""

from __future__ import annotations

import os

from skiff.cli.oci import options
from skiff.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Process

FIRST = 3


def descriptors(flags: dict[str, str], process: Process) -> int:
    """How many from 3 on; each must be open, or something of ours could be in its place."""
    listening = os.environ.get("LISTEN_FDS", "")
    sockets = int(listening) if listening.isascii() and listening.isdigit() else 0
    if sockets:
        process["env"] = [*(process.get("env") or []), f"LISTEN_FDS={sockets}", "LISTEN_PID=1"]
    count = sockets + options.number(flags, "preserve-fds")
    for fd in range(FIRST, FIRST + count):
        try:
            passed = os.get_inheritable(fd)
        except OSError:
            passed = False
        if not passed:
            raise InvalidInput(
                f"--preserve-fds: file descriptor {fd} is not open, although {count} from {FIRST} on are to be passed"
            )
    return count
