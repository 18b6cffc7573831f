"""A copy of the interpreter that nobody can write: what a container could reach through /proc/self/exe (CVE-2019-5736)."""

from __future__ import annotations

import fcntl
import os
import sys

# Python names these from 3.10 on only.
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE
CHUNK = 1 << 24


def interpreter() -> int:
    """A file descriptor of a sealed copy in memory, for exec by its name in /proc/self/fd."""
    copy = os.memfd_create("skiff", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(sys.executable, "rb") as source:
            while os.sendfile(copy, source.fileno(), None, CHUNK):
                continue
        _seal(copy)
    except BaseException:
        os.close(copy)
        raise
    return copy


def nothing() -> int:
    """A file descriptor of an empty program."""
    file = os.memfd_create("skiff", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _seal(file)
    except BaseException:
        os.close(file)
        raise
    return file


def _seal(program: int) -> None:
    os.fchmod(program, 0o500)
    fcntl.fcntl(program, F_ADD_SEALS, SEALS)


def runs_sealed() -> bool:
    """Whether this very process runs from such a copy."""
    with open("/proc/self/exe", "rb") as program:
        try:
            return fcntl.fcntl(program.fileno(), F_GET_SEALS) & SEALS == SEALS
        except OSError:
            return False
