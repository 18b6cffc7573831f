"""A process that does one thing for its parent and ends; forked ahead of its order, it has by then gone through the motions once.

It answers in two steps, so that the parent can go on as soon as the name is taken: a word, then the result. Order, word and result
are messages of a socket that keeps their borders; errors come back as the protocol tells them.
"""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import os

from skiff.errors import SkiffError, suppress
from skiff.linux import prctl, signals
from skiff.shim import MAX_MESSAGE
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Action = Callable[[dict[str, Any], Callable[[], object]], dict[str, Any]]

MAX_WORDS = 4096  # an error that quotes a request must still fit a message
NAMED = b"\0"
FORESEEN = (SkiffError, OSError, ValueError, KeyError, TypeError, AttributeError)


class Refusal(SkiffError):
    """What the maker was refused; `told` is the protocol's error."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        super().__init__(told["message"])


class Died(SkiffError):
    """It was killed, whatever it had made by then."""


def refusal(error: Exception) -> dict[str, Any]:
    """An error as the protocol tells it."""
    if isinstance(error, Refusal):
        return {"ok": False, "error": error.told}
    number, step = getattr(error, "errno", None) or 0, getattr(error, "step", "create")
    return {"ok": False, "error": {"step": step, "errno": number, "message": str(error)[:MAX_WORDS]}}


class Maker:
    """`action` gets the order and what to call when the name is taken; `rehearse` is called while there is no order.

    `product` is what an error calls that which is made.
    """

    def __init__(self, action: Action, rehearse: Callable[[], None] | None = None, product: str = "container") -> None:
        parent = os.getpid()
        self._product = product
        self._sock, theirs = pair()
        try:
            self._pid = os.fork()
            if self._pid == 0:
                self._sock.close()
                _work(theirs, parent, action, rehearse)
        finally:
            theirs.close()

    def fileno(self) -> int:
        """Readable when there is a result."""
        return self._sock.fileno()

    def lives(self) -> bool:
        """Whether it can be given an order."""
        return os.waitpid(self._pid, os.WNOHANG) == (0, 0)

    def order(self, data: bytes) -> None:
        """Once."""
        with suppress(ConnectionError):  # it is dead, as the result will tell
            self._sock.send(data)

    def named(self) -> None:
        """Wait until the name is taken; Refusal if it is not."""
        word = b""
        with suppress(ConnectionError):
            word = self._sock.recv(1, _socket.MSG_PEEK)
        if word != NAMED:
            self.result()  # which raises
        self._sock.recv(1)

    def result(self) -> dict[str, Any]:
        """What the action returned, once; Refusal for its error. The process ends, and is for whoever waits for children."""
        try:
            said = self._sock.recv(MAX_MESSAGE)
        except ConnectionError:
            said = b""
        self._sock.close()
        if not said:
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            raise Died(f"the process that creates the {self._product} died: it may have been out of memory")
        told: dict[str, Any] = jsontext.loads(said)
        if not told["ok"]:
            raise Refusal(told["error"])
        return told


def pair() -> tuple[_socket.socket, _socket.socket]:
    """Two ends of a socket that takes the longest message without waiting for its reader."""
    ends = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, 2 * MAX_MESSAGE)
    return ends


def _work(sock: _socket.socket, parent: int, action: Action, rehearse: Callable[[], None] | None) -> NoReturn:
    try:
        prctl.prctl(prctl.PR_SET_PDEATHSIG, signals.SIGKILL)
        if os.getppid() == parent:
            if rehearse is not None:
                rehearse()
            order = sock.recv(MAX_MESSAGE)
            if order:
                try:
                    told = {"ok": True, **action(jsontext.loads(order), lambda: sock.send(NAMED))}
                except FORESEEN as error:
                    told = refusal(error)
                sock.send(jsontext.dumps(told).encode())
    finally:
        os._exit(0)
