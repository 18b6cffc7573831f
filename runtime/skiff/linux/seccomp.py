"""seccomp(2): what this kernel can do, and the installation of a compiled filter."""

from __future__ import annotations

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check, number

FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
FLAG_NEW_LISTENER = 8
FLAG_TSYNC_ESRCH = 16
INSTRUCTION = 8  # bytes
_SET_MODE_FILTER = foreign.c_uint(1)
_SECCOMP = number(317, 277)


class _Program(foreign.Structure):
    _fields_ = [("len", foreign.c_ushort), ("filter", foreign.c_char_p)]


def install(program: bytes, flags: int) -> int:
    """Filter this process from now on; with FLAG_NEW_LISTENER the descriptor of the notifications, else 0."""
    described = _Program(len(program) // INSTRUCTION, program)
    return check(LIBC.syscall(_SECCOMP, _SET_MODE_FILTER, foreign.c_uint(flags), foreign.byref(described)), "seccomp")
