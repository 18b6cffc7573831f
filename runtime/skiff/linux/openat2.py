"""openat2(2), for which neither glibc nor Python has a wrapper."""

from __future__ import annotations

import os

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check

SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10


class _OpenHow(foreign.Structure):
    _fields_ = [("flags", foreign.c_uint64), ("mode", foreign.c_uint64), ("resolve", foreign.c_uint64)]


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """An open file; close-on-exec always."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return check(
        LIBC.syscall(
            foreign.c_long(SYS_OPENAT2),
            foreign.c_int(directory),
            foreign.c_char_p(path),
            foreign.byref(how),
            foreign.c_size_t(foreign.sizeof(how)),
        ),
        "openat2",
        path,
    )
