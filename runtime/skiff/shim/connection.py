"""One client of the shim: requests as lines of JSON, one at a time; after `attach` Docker's multiplexed frames."""

from __future__ import annotations

import os
import struct
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET

from skiff.errors import SkiffError
from skiff.shim.loop import GONE, READ, WRITE
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any

    from skiff.shim.supervisor import Supervisor

MAX_LINE = 1 << 20
CHUNK = 65536
# What a slow client may have outstanding before the container has to wait for it.
HIGH_WATER = 1 << 20
MOST_PASSED = 3  # descriptors with a request
_ANCILLARY = CMSG_SPACE(MOST_PASSED * struct.calcsize("i"))


class Connection:
    """Buffers both ways; the supervisor does what is asked."""

    def __init__(self, sock: _socket.socket, supervisor: Supervisor) -> None:
        self._sock = sock
        self._supervisor = supervisor
        self._input = b""
        self._output = bytearray()
        self._passed: list[int] = []
        self._ending = False
        self._reading = True
        self.closed = False
        self.streams: frozenset[int] = frozenset()
        self.raw = False
        self.feeds_stdin = False
        self.once = True
        sock.setblocking(False)
        self._watch()

    @property
    def congested(self) -> bool:
        """Whether it takes its output too slowly."""
        return len(self._output) > HIGH_WATER

    def _watch(self) -> None:
        reads = READ if self._reading and not (self.feeds_stdin and self._supervisor.stdin_congested) else 0
        self._supervisor.loop.watch(self._sock.fileno(), reads | (WRITE if self._output else 0), self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and not self.closed:
            self._read(gone=bool(events & GONE))

    def _read(self, gone: bool) -> None:
        try:
            data = self._sock.recv(CHUNK) if self.raw else self._receive()
        except BlockingIOError:
            return
        except OSError:
            data, gone = b"", True
        if data and self.raw:
            self._feed(data)
        elif data:
            self._take(data)
        else:
            self._end_of_input()
            if gone or not self.raw:
                self.close()

    def _receive(self) -> bytes:
        """With the descriptors that come along, for the next request."""
        data, ancillary, _, _ = self._sock.recvmsg(CHUNK, _ANCILLARY, MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                count = len(content) // struct.calcsize("i")
                self._passed += struct.unpack_from(f"{count}i", content)
        if len(self._passed) > MOST_PASSED:
            self.close()
        return data

    def _feed(self, data: bytes) -> None:
        if self.feeds_stdin:
            self._supervisor.feed_stdin(data)
            self._watch()

    def _end_of_input(self) -> None:
        """Half closed: no more input, while output may still be wanted."""
        if self.feeds_stdin and self.once:
            self._supervisor.end_stdin()
        self.feeds_stdin = self._reading = False
        self._watch()

    def _take(self, data: bytes) -> None:
        self._input += data
        while b"\n" in self._input and not self.closed:
            line, _, self._input = self._input.partition(b"\n")
            self._request(line)
            if self.raw:
                rest, self._input = self._input, b""
                if rest:
                    self._feed(rest)
                return
        if len(self._input) > MAX_LINE:
            self.close()

    def _request(self, line: bytes) -> None:
        try:
            self._handle(line)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for fd in self._passed:
            os.close(fd)
        self._passed.clear()

    def _handle(self, line: bytes) -> None:
        try:
            message = jsontext.loads(line)
            if not isinstance(message, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            self.refuse(SkiffError(f"not a request: {error}"))
            return
        try:
            self._supervisor.handle(self, message, self._passed)
        except (SkiffError, OSError) as error:
            self.refuse(error)

    def answer(self, message: dict[str, Any]) -> None:
        """One line."""
        self.send(jsontext.dumps(message).encode() + b"\n")

    def refuse(self, error: Exception) -> None:
        """The error as an answer."""
        number, step = getattr(error, "errno", None) or 0, getattr(error, "step", "")
        self.answer({"ok": False, "error": {"message": str(error), "errno": number, "step": step}})

    def attach(self, message: dict[str, Any]) -> None:
        """From here on raw."""
        self.answer({"ok": True})
        self.raw = True
        self.streams = frozenset(number for number, name in ((1, "stdout"), (2, "stderr")) if message.get(name))
        self.feeds_stdin = bool(message.get("stdin"))
        self.once = bool(message.get("once", True))

    def send(self, data: bytes) -> None:
        """As much as goes now, the rest when it goes."""
        if self.closed:
            return
        self._output += data
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._output)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._output[:sent]
        if self._output:
            self._watch()
        elif self._ending:
            self.close()
        else:
            self._supervisor.relieved()
            self._watch()

    def resume(self) -> None:
        """The container takes input again."""
        if self.feeds_stdin and not self.closed:
            self._watch()

    def end(self) -> None:
        """Close once all is sent."""
        self._ending = True
        if not self._output:
            self.close()

    def close(self) -> None:
        """Now."""
        if not self.closed:
            self.closed = True
            self._supervisor.loop.forget(self._sock.fileno())
            self._sock.close()
            self._let_go()
            self._supervisor.dropped(self)
