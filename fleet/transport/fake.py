"""Transports for tests: a channel whose other end is a function, and hosts that cannot be reached."""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, List, Optional, Sequence

from fleet.errors import UnreachableError
from fleet.transport import END, Received

# Gets what was sent (nothing at the start) and gives what comes back.
Peer = Callable[[bytes], Sequence[Received]]


class FakeChannel:
    """A channel to a peer in this process. With nothing to receive, `receive` returns at once, and `idle` is called."""

    def __init__(self, peer: Peer, status: Optional[int] = 0, idle: Callable[[], None] = lambda: None) -> None:
        self._peer = peer
        self._status = status
        self._idle = idle
        self._waiting: Deque[Received] = deque(peer(b""))
        self.sent: List[bytes] = []
        self.input_closed = False
        self.closed = False

    def send(self, data: bytes, patience: float) -> None:  # noqa: ARG002 # a fake takes all at once
        self.sent.append(data)
        self._waiting.extend(self._peer(data))

    def close_input(self) -> None:
        self.input_closed = True

    def receive(self, timeout: float) -> Optional[Received]:  # noqa: ARG002 # a fake waits for nobody
        if self._waiting:
            return self._waiting.popleft()
        if self.input_closed or self.closed:
            return Received(END, b"")
        self._idle()
        return None

    def status(self) -> Optional[int]:
        return self._status

    def close(self) -> None:
        self.closed = True


class FakeTransport:
    """A host whose channel is given by `open_channel`, from the command's text; or one that fails to connect."""

    def __init__(
        self,
        open_channel: Callable[[str], FakeChannel],
        user: str = "root",
        fault: Optional[UnreachableError] = None,
    ) -> None:
        self._open_channel = open_channel
        self._fault = fault
        self.user = user
        self.closed = False

    def open(self, command: str) -> FakeChannel:
        if self._fault is not None:
            raise self._fault
        return self._open_channel(command)

    def close(self) -> None:
        self.closed = True
