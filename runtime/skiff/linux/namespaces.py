"""unshare, setns and clone."""

from __future__ import annotations

import fcntl
import struct

from skiff.linux import foreign
from skiff.linux.libc import HOLDING, LIBC, check, number

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PARENT = 0x00008000
CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17
_NS_GET_NSTYPE = 0xB703
_CLONE, _CLONE3 = number(56, 220), number(435, 435)
_CLONE_ARGS = struct.Struct("11Q")  # struct clone_args: flags first, the exit signal fifth, the cgroup last

LIBC.unshare.argtypes = (foreign.c_int,)
LIBC.setns.argtypes = (foreign.c_int, foreign.c_int)
LIBC.sethostname.argtypes = (foreign.c_char_p, foreign.c_size_t)
LIBC.setdomainname.argtypes = (foreign.c_char_p, foreign.c_size_t)


def unshare(flags: int) -> None:
    """New namespaces for this process."""
    check(LIBC.unshare(flags), "unshare", hex(flags))


def setns(fd: int, kind: int) -> None:
    """Enter a namespace that is open."""
    check(LIBC.setns(fd, kind), "setns", hex(kind))


def is_kind(fd: int, kind: int) -> bool:
    """Whether an open file is a namespace of this kind."""
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == kind
    except OSError:
        return False


def sethostname(name: bytes) -> None:
    """Name the present uts namespace."""
    check(LIBC.sethostname(name, len(name)), "sethostname", name)


def setdomainname(name: bytes) -> None:
    """The NIS domain of the present uts namespace."""
    check(LIBC.setdomainname(name, len(name)), "setdomainname", name)


def fork_sibling() -> int:
    """fork(2), but the child is our parent's; 0 in the child. For a process with one thread."""
    flags = foreign.c_long(CLONE_PARENT | _SIGCHLD)
    nothing = foreign.c_long(0)
    return check(HOLDING.syscall(_CLONE, flags, nothing, nothing, nothing, nothing), "clone")


def fork_into(cgroup: int, flags: int = 0) -> int:
    """fork(2), but the child is born in a cgroup of version 2, an open directory; 0 in the child. For a process with one thread.

    A sibling's parent hears of its end by our own signal, and clone3 refuses another.
    """
    signal = 0 if flags & CLONE_PARENT else _SIGCHLD
    arguments = _CLONE_ARGS.pack(CLONE_INTO_CGROUP | flags, 0, 0, 0, signal, 0, 0, 0, 0, 0, cgroup)
    return check(HOLDING.syscall(_CLONE3, arguments, foreign.c_size_t(_CLONE_ARGS.size)), "clone3")
