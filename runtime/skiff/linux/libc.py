"""The C library, loaded once, and the one place where a failed call becomes an error."""

from __future__ import annotations

import os

from skiff.errors import SyscallError
from skiff.linux import foreign

LIBC = foreign.CDLL(None, use_errno=True)
LIBC.syscall.restype = foreign.c_long
# Without letting go of the interpreter's lock: for a clone, whose child has but this thread.
HOLDING = foreign.PyDLL(None, use_errno=True)
HOLDING.syscall.restype = foreign.c_long
X86_64 = os.uname().machine == "x86_64"

_HINTS = {
    1: "not permitted: the process lacks a capability, or its namespace or security module forbids it",
    38: "not implemented: this kernel is too old for it",
}


def number(x86_64: int, generic: int) -> foreign.c_long:
    """A system call's number on this machine; `generic` is arm64's and everyone's since."""
    return foreign.c_long(x86_64 if X86_64 else generic)


def failure(syscall: str, number: int, detail: str = "") -> SyscallError:
    """The error for a call that left `number` in errno."""
    return SyscallError(syscall, number, _HINTS.get(number) or os.strerror(number), detail)


def check(result: int, syscall: str, detail: str | bytes = "") -> int:
    """Pass a good result on; raise for a bad one."""
    if result < 0:
        raise failure(syscall, foreign.get_errno(), detail if isinstance(detail, str) else os.fsdecode(detail))
    return result
