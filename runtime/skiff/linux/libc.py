"""The C library, loaded once, and the one place where a failed call becomes an error."""

from __future__ import annotations

import ctypes
import os

from skiff.errors import SyscallError

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

_HINTS = {
    1: "not permitted: the process lacks a capability, or its namespace or security module forbids it",
    38: "not implemented: this kernel is too old for it",
}


def failure(syscall: str, number: int, detail: str = "") -> SyscallError:
    """The error for a call that left `number` in errno."""
    return SyscallError(syscall, number, _HINTS.get(number) or os.strerror(number), detail)


def check(result: int, syscall: str, detail: str | bytes = "") -> int:
    """Pass a good result on; raise for a bad one."""
    if result < 0:
        raise failure(syscall, ctypes.get_errno(), detail if isinstance(detail, str) else os.fsdecode(detail))
    return result
