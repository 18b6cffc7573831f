"""The TCP connection and our greeting, which need nothing but the standard library: SSH itself is imported while they travel.

A connect that is being made can be given up at any time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import socket
import time
from functools import cache
from typing import Callable, Dict, Mapping, Optional, Tuple, Union

from fleet.transport.sshfiles import FILES, lines

GREETING = "SSH-2.0-Skiff"
SSH_PORT = 22
STEP = 0.2
# The kernel gives a dead connection up after this many milliseconds without an acknowledgement.
DEAD_AFTER = 60_000
# What leads elsewhere than to the address in the inventory; a file that has one of these words is looked into first.
DETOURS = re.compile(r"\s*(HostName|Port|ProxyCommand|ProxyJump|Match|CanonicalizeHostname|ConnectTimeout)\b", re.IGNORECASE)


class Unanswered(OSError):
    """No address of a host took the connection; `errors` has each one's reason."""

    def __init__(self, errors: Mapping[Tuple[object, ...], OSError]) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.errors = errors


class StoppedError(OSError):
    """The run is to end: nobody waits for this connection."""


Dialled = Union[socket.socket, OSError, None]


@cache
def detoured() -> bool:
    """Whether the user's or the system's SSH configuration may lead a connection elsewhere."""
    for file in FILES:
        # What cannot be read is told when it is looked into.
        with contextlib.suppress(OSError, ValueError):
            if any(map(DETOURS.match, lines(file.expanduser()))):
                return True
    return False


def ahead(address: str, port: Optional[int], timeout: float, stopped: Callable[[], bool], begun: Callable[[], None]) -> Dialled:
    """What `dial` gives or raises; None where SSH's configuration is to be looked into first."""
    if detoured():
        begun()
        return None
    try:
        return dial(address, port or SSH_PORT, timeout, stopped, begun)
    except OSError as error:
        return error


def dial(
    address: str, port: int, timeout: float, stopped: Callable[[], bool], begun: Callable[[], None] = lambda: None
) -> socket.socket:
    """A connection to the first of a host's addresses that answers, and our greeting on it; each is given `timeout` seconds.

    `begun` is called when there is something to wait for.

    Raises:
        Unanswered: all refused, or there is no way to any.
        StoppedError: `stopped` said so; it is asked five times a second.
        OSError: the name is not known, or no address answered in time.
    """
    errors: Dict[Tuple[object, ...], OSError] = {}
    for family, kind, protocol, _, place in socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM):
        link = socket.socket(family, kind, protocol)
        try:
            reach(link, place, timeout, stopped, begun)
            greet(link)
        except OSError as error:
            link.close()
            if isinstance(error, StoppedError):
                raise
            errors[place] = error
        else:
            return link
    for reason in errors.values():
        if reason.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
            raise reason
    raise Unanswered(errors)


def greet(link: socket.socket) -> None:
    """Says who we are, before the server does."""
    if link.family != socket.AF_UNIX:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER)
    link.settimeout(None)
    link.sendall(f"{GREETING}\r\n".encode())


def reach(
    link: socket.socket, place: Tuple[object, ...], timeout: float, stopped: Callable[[], bool], begun: Callable[[], None]
) -> None:
    """Connects a socket."""
    link.setblocking(False)
    status = link.connect_ex(place)
    begun()
    if status == errno.EINPROGRESS:
        status = settled(link, time.monotonic() + timeout, stopped)
    if status:
        raise OSError(status, os.strerror(status))


def settled(link: socket.socket, deadline: float, stopped: Callable[[], bool]) -> int:
    """The error number with which a connect in progress ends; 0 where it succeeds."""
    ready = select.poll()
    ready.register(link, select.POLLOUT)
    while not ready.poll(STEP * 1000):
        if stopped():
            raise StoppedError("stopped")
        if time.monotonic() > deadline:
            raise socket.timeout("timed out")
    return link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
