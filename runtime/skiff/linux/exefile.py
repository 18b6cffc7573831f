"""Takes this process's own program file out of reach without another exec: /proc/self/exe leads to an empty sealed file then.

The kernel lets a process change that link (prctl(2), PR_SET_MM_MAP, made for CRIU) once nothing of the old file is mapped. So
what is mapped of it is replaced by copies in memory. That is done only where the interpreter is a library of its own and the
program a few pages that start it, as CentOS builds it: in one that holds the interpreter a copy would lack what changes meanwhile.
"""

from __future__ import annotations

import os
import struct

from skiff.errors import SyscallError
from skiff.linux import foreign, sealed
from skiff.linux.libc import LIBC, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 64 << 10  # bytes of a program that but starts the interpreter; one that holds it has millions
_PR_SET_MM, _PR_SET_MM_MAP = 35, 14
_MAP = struct.Struct("12Q2I")  # struct prctl_mm_map
# In its order, by their places behind the name in /proc/self/stat: code and data, and after the heap stack, arguments, environment.
_BEFORE_HEAP, _START_BRK, _AFTER_HEAP = (23, 24, 42, 43), 44, (25, 45, 46, 47, 48)
_READ, _WRITE, _EXEC = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_TO_FIXED = 3  # MREMAP_MAYMOVE and MREMAP_FIXED
_FAILED = foreign.c_void_p(-1).value

LIBC.mmap.argtypes = (foreign.c_void_p, foreign.c_size_t, foreign.c_int, foreign.c_int, foreign.c_int, foreign.c_long)
LIBC.mmap.restype = foreign.c_void_p
LIBC.sbrk.argtypes, LIBC.sbrk.restype = (foreign.c_long,), foreign.c_void_p
LIBC.prctl.argtypes = (foreign.c_int, foreign.c_ulong, foreign.c_ulong, foreign.c_ulong, foreign.c_ulong)
LIBC.mprotect.argtypes = (foreign.c_void_p, foreign.c_size_t, foreign.c_int)
LIBC.memmove.argtypes = (foreign.c_void_p, foreign.c_void_p, foreign.c_size_t)
LIBC.mremap.argtypes = (foreign.c_void_p, foreign.c_size_t, foreign.c_size_t, foreign.c_int, foreign.c_void_p)
LIBC.mremap.restype = foreign.c_void_p


def leave() -> bool:
    """False where it cannot be (another user than root, another build, a security module): a sealed copy must be executed then."""
    if os.geteuid() != 0 or os.stat("/proc/self/exe").st_size > MOST:
        return False
    try:
        copies = [(start, size, _copied(start, size, access)) for start, size, access in _mapped(os.readlink(b"/proc/self/exe"))]
        for start, size, copy in copies:
            if LIBC.mremap(copy, size, size, _TO_FIXED, start) == _FAILED:
                check(-1, "mremap")
        nothing = sealed.nothing()
        try:
            _lead_to(nothing)
        finally:
            os.close(nothing)
    except SyscallError:
        return False
    return True


def _lead_to(program: int) -> None:
    """Change the link alone: all else that the call sets is what it is already."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    before, after = [int(fields[place]) for place in _BEFORE_HEAP], [int(fields[place]) for place in _AFTER_HEAP]
    layout = foreign.create_string_buffer(_MAP.size)
    # Nothing may grow the heap from here to the call.
    _MAP.pack_into(layout, 0, *before, int(fields[_START_BRK]), LIBC.sbrk(0), *after, 0, 0, program)
    check(LIBC.prctl(_PR_SET_MM, _PR_SET_MM_MAP, foreign.addressof(layout), _MAP.size, 0), "prctl", "PR_SET_MM_MAP")


def _mapped(program: bytes) -> Iterator[tuple[int, int, int]]:
    """Start, length and access of each part of memory that shows the file."""
    with open("/proc/self/maps", "rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        span, words, *_, path = line.split(None, 5)
        if path == program:
            start, _, end = span.partition(b"-")
            access = sum(bit for bit, letter in ((_READ, b"r"), (_WRITE, b"w"), (_EXEC, b"x")) if letter in words)
            yield int(start, 16), int(end, 16) - int(start, 16), access


def _copied(start: int, size: int, access: int) -> int:
    """A copy of a part of memory, at an address of its own."""
    copy = LIBC.mmap(None, size, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    if copy == _FAILED:
        check(-1, "mmap")
    if access & _READ:
        LIBC.memmove(copy, start, size)
    check(LIBC.mprotect(copy, size, access), "mprotect")
    return int(copy)
