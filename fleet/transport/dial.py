"""The TCP connection and our greeting, which need nothing but the standard library: SSH itself is imported while they travel."""

from __future__ import annotations

import contextlib
import re
import socket
from functools import cache
from pathlib import Path
from typing import Optional, Union

GREETING = "SSH-2.0-Skiff"
SSH_PORT = 22
CONNECT_TIMEOUT = 10
FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
# What leads elsewhere than to the address in the inventory; a file that has one of these words is read by Fabric first.
DETOURS = re.compile(
    r"^\s*(HostName|Port|ProxyCommand|ProxyJump|Match|CanonicalizeHostname|AddressFamily)\b", re.IGNORECASE | re.MULTILINE
)


@cache
def detoured() -> bool:
    """Whether the user's or the system's SSH configuration may lead a connection elsewhere."""
    for file in FILES:
        with contextlib.suppress(FileNotFoundError):
            if DETOURS.search(file.expanduser().read_text("utf-8", "replace")):
                return True
    return False


def dial(address: str, port: Optional[int], timeout: float) -> Union[socket.socket, TimeoutError, None]:
    """A connection that was greeted, or that nobody answered in time; None where the usual way has to find out more."""
    if detoured():
        return None
    try:
        connection = socket.create_connection((address, port or SSH_PORT), timeout)
    except socket.timeout as error:
        return TimeoutError(*error.args)
    except OSError:
        return None
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"{GREETING}\r\n".encode())
    except OSError:
        connection.close()
        return None
    return connection
