"""A connection that has turned raw: standard input goes out while the answer comes in, neither waiting for the other."""

from __future__ import annotations

import _socket
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from skiff.client.http import Answer

BLOCK = 65536


def both_ways(answer: Answer) -> Iterator[bytes]:
    """The answer's bytes as they come, to its end; meanwhile this process's input is sent, and its end passed on."""
    yield answer.buffer
    sock = answer.sock
    given = _Input()
    poll = select.poll()
    while True:
        poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if given.waiting else 0))
        if given.open and not given.waiting:
            poll.register(0, select.POLLIN)
        ready = dict(poll.poll())
        if 0 in ready:
            poll.unregister(0)
            given.read(sock)
        if ready.get(sock.fileno(), 0) & select.POLLOUT:
            given.send(sock)
        if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
            data = sock.recv(BLOCK)
            if not data:
                return
            yield data


class _Input:
    """Standard input on its way; `waiting` is what was read and not yet taken."""

    def __init__(self) -> None:
        self.open = True
        self.waiting = b""

    def read(self, sock: _socket.socket) -> None:
        """Read a block; at the end, say so to the other side."""
        self.waiting = os.read(0, BLOCK)
        if not self.waiting:
            self.open = False
            try:
                sock.shutdown(_socket.SHUT_WR)
            except OSError:
                # It has gone; what it said last is still to be read.
                return

    def send(self, sock: _socket.socket) -> None:
        """Send what the other side takes now; one that has gone takes no more."""
        try:
            self.waiting = self.waiting[sock.send(self.waiting, _socket.MSG_DONTWAIT) :]
        except (BrokenPipeError, ConnectionResetError):
            self.open, self.waiting = False, b""
        except BlockingIOError:
            return
