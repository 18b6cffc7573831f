"""Hands a seccomp listener to whoever answers the kernel's questions, as the specification's container process state tells."""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import os
import struct

from skiff.errors import InvalidInput, SkiffError, Unsupported
from skiff.linux import processes
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Listener:
    """A connection to linux.seccomp.listenerPath, made before the container is, so that a wrong path fails early."""

    def __init__(self, profile: dict[str, Any], state: dict[str, Any]) -> None:
        self._path = profile["listenerPath"]
        self._metadata = profile.get("listenerMetadata") or ""
        self._state = state
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise InvalidInput(f"linux.seccomp.listenerPath: {self._path}: {(error.strerror or str(error)).lower()}") from error

    def announce(self, pid: int, number: int) -> None:
        """Send the descriptor that is `number` in the process `pid`, with what the specification says of both."""
        try:
            fd = processes.descriptor_of(pid, number)
        except SkiffError as error:
            raise Unsupported(f"seccomp: the listener of process {pid} cannot be had: {error}") from error
        document = {
            "ociVersion": self._state["ociVersion"],
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": self._metadata,
            "state": {**self._state, "pid": pid},
        }
        try:
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", fd))]
            self._socket.sendmsg([jsontext.dumps(document).encode()], rights)
        except OSError as error:
            raise SkiffError(f"linux.seccomp.listenerPath: {self._path}: {error.strerror}") from error
        finally:
            os.close(fd)

    def close(self) -> None:
        """Nobody listens any more through us."""
        self._socket.close()
