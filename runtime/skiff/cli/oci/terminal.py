"""The caller's terminal joined to a container's, for run and exec in the foreground."""

from __future__ import annotations

import os
import select
import signal
import socket
import termios
import tty

from skiff.errors import InvalidInput, SkiffError, suppress
from skiff.linux import terminal
from skiff.oci import console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHUNK = 65536


class Terminal:
    """`connection` is the console socket for the container; the rest is for us."""

    def __init__(self) -> None:
        if not os.isatty(0):
            raise InvalidInput(
                "process.terminal: the standard input is no terminal: set it to false, or detach with a console socket"
            )
        self._ours, theirs = socket.socketpair()
        self.connection = theirs.detach()
        self._saved: list[Any] | None = None
        self._master = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            with suppress(termios.error):  # it may have gone meanwhile
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
        if self._master >= 0:
            os.close(self._master)
        self._ours.close()

    def attach(self) -> None:
        """Take the container's end, as large as ours; ours becomes raw."""
        self._master = console.receive(self._ours)
        if self._master < 0:
            raise SkiffError("the container sent no terminal")
        self._resize()
        signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        self._saved = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSANOW)  # what has been typed ahead is kept

    def _resize(self) -> None:
        with suppress(OSError):
            terminal.resize(self._master, *terminal.size(0))

    def relay(self) -> None:
        """Both ways, until nobody in the container has the other end open."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        poll.register(0, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                try:
                    data = os.read(fd, CHUNK)
                except OSError:  # EIO: the last one has closed
                    data = b""
                if fd == 0 and not data:
                    poll.unregister(0)
                elif not data:
                    return
                else:
                    _write(self._master if fd == 0 else 1, data)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
