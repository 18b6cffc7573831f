"""openat2(2), for which neither glibc nor Python has a wrapper."""

from __future__ import annotations

import ctypes
import os

from skiff.linux.libc import LIBC, check

SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """An open file; close-on-exec always."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return check(
        LIBC.syscall(
            ctypes.c_long(SYS_OPENAT2),
            ctypes.c_int(directory),
            ctypes.c_char_p(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        ),
        "openat2",
        path,
    )
