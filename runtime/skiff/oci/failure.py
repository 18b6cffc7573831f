"""What a container's init tells its parent before exec: fixed-size numbers, since no text is safe to make in there."""

from __future__ import annotations

import os
import struct

from skiff.errors import SkiffError
from skiff.linux import libc

NAMES = (
    "ready", "cgroup", "scheduling", "oom score", "namespaces", "rootfs", "network", "hostname", "console", "limits", "keyring",
    "user", "capabilities", "cwd", "command", "label", "seccomp", "createContainer hook", "startContainer hook", "exec",
)  # fmt: skip
(
    READY, CGROUP, SCHEDULING, OOM, NAMESPACES, ROOTFS, NETWORK, HOSTNAME, CONSOLE, LIMITS, KEYRING,
    USER, CAPABILITIES, CWD, COMMAND, LABEL, SECCOMP, CREATE_HOOK, START_HOOK, EXEC,
) = range(len(NAMES))  # fmt: skip

# What is no failure, but asked of the process outside: to write the id mappings; to know the number of the process that goes on;
# to run hooks; to hand on a seccomp listener. Each is answered by a byte through the gate.
MAPS, CHILD, HOOKS, LISTENER = range(101, 105)

# Instead of an errno, for what only this runtime knows.
(
    NOT_IN_PATH, IS_DIRECTORY, NO_SUCH_USER, NO_SUCH_GROUP, OUTSIDE_ROOT, NOT_PROC, INTERNAL, NO_SETGROUPS, HOOK_FAILED,
) = range(1001, 1010)  # fmt: skip
_MESSAGE = struct.Struct("=iii")
SIZE = _MESSAGE.size


class CreateError(SkiffError):
    """The container could not be set up; `step` is where it stopped, `errno` 0 if no call failed."""

    def __init__(self, step: str, errno: int, message: str) -> None:
        self.step = step
        self.errno = errno
        super().__init__(message)


def pack(step: int, number: int, index: int) -> bytes:
    """One message: the step, an errno or one of the numbers above, and which of several things it was about."""
    return _MESSAGE.pack(step, number, index)


def unpack(data: bytes) -> tuple[int, int, int]:
    """Step, number, index."""
    step, number, index = _MESSAGE.unpack(data)
    return step, number, index


def describe(number: int) -> str:
    """The words for an errno."""
    return str(libc.failure("", number)).partition(": ")[2] if number in (1, 38) else os.strerror(number).lower()
