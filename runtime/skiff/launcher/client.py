"""Starts a launcher and asks it; synchronous, one process at the other end of a socket that keeps message borders."""

from __future__ import annotations

import fcntl
import os
import socket
import sys

from skiff.launcher import LAUNCHER_FD
from skiff.linux import sealed
from skiff.shim import MAX_MESSAGE
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENTRY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__main__.py")


def spawn(exec_root: str) -> socket.socket:
    """Start a launcher whose runtime state lies under `exec_root`; it ends when the returned socket is closed.

    It detaches itself, so that its death leaves no zombie with the caller.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MAX_MESSAGE)
    interpreter = sealed.interpreter()
    # Away from its target: old C libraries keep close-on-exec on a descriptor that is copied onto itself.
    passed = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 2 * LAUNCHER_FD)
    try:
        arguments = [sys.executable, "-I", "-S", "-X", "utf8", ENTRY, "launcher", exec_root]
        actions = [(os.POSIX_SPAWN_DUP2, passed, LAUNCHER_FD)]
        pid = os.posix_spawn(f"/proc/self/fd/{interpreter}", arguments, {"PATH": os.defpath}, file_actions=actions)
    finally:
        theirs.close()
        os.close(passed)
        os.close(interpreter)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        ours.close()
        raise EOFError(f"the launcher did not start: status {os.waitstatus_to_exitcode(status)}")
    return ours


def send(sock: socket.socket, message: dict[str, Any]) -> None:
    """One message; EOFError or OSError if the other end is gone."""
    data = jsontext.dumps(message).encode()
    if len(data) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(data)} bytes is longer than the {MAX_MESSAGE} that the launcher takes")
    sock.send(data)


def receive(sock: socket.socket) -> dict[str, Any]:
    """The next message; EOFError if the other end is gone."""
    data = sock.recv(MAX_MESSAGE)
    if not data:
        raise EOFError("the launcher is gone")
    message: dict[str, Any] = jsontext.loads(data)
    return message


def request(sock: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
    """Ask, and wait for the reply with the same `seq`; for one caller at a time."""
    send(sock, message)
    while True:
        reply = receive(sock)
        if reply.get("seq") == message.get("seq"):
            return reply
