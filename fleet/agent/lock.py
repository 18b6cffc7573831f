"""One run at a time: flock(2) on a file whose text names the holder. A dead run holds nothing."""

import errno
import fcntl
import os
import time

from fleet.agent import notation
from fleet.agent.errors import AgentError, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

STEP = 0.2


class Lock:
    """The lock of a host's agent, held until the process ends or `release`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._held = False

    def acquire(
        self,
        holder: "Dict[str, Any]",
        patience: float,
        waiting: "Callable[[Dict[str, Any]], None]",
        pause: "Callable[[float], None]",
    ) -> None:
        """Take the lock, telling `waiting` once who has it, for at most `patience` seconds.

        Raises:
            AgentError: the other run outlasted the patience, or the lock's file cannot be opened.
        """
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise from_os(error, self._path) from error
        deadline, told = time.monotonic() + patience, False
        while not self._try():
            other = self._holder()
            if time.monotonic() >= deadline:
                raise _refused(other)
            if not told:
                waiting(other)
                told = True
            pause(STEP)
        self._held = True
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, notation.kept(holder), 0)
        except OSError as error:
            raise from_os(error, self._path) from error

    def release(self) -> None:
        """Let the next run have it."""
        if self._held:
            os.ftruncate(self._descriptor, 0)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._held = False

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise from_os(error, self._path) from error
            return False
        return True

    def _holder(self) -> "Dict[str, Any]":
        try:
            holder = notation.loads(os.pread(self._descriptor, 4096, 0).decode("utf-8"))
        except ValueError:
            holder = None
        return holder if isinstance(holder, dict) else {"who": "unknown", "run": "unknown", "pid": 0, "since": ""}


def _refused(holder: "Dict[str, Any]") -> AgentError:
    return AgentError(
        "another run has the lock: {who}".format(**holder),
        "run {run}, process {pid} on this host, since {since}".format(**holder),
        "wait for it to end, or give this run more patience with --lock-timeout SECONDS",
    )
