"""The system calls that a look makes and Python's oldest here has no name for."""

import ctypes
import os

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
REC, PRIVATE = 0x4000, 0x40000

LIBC = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces of the parent's for new ones (unshare(2)).

    Raises:
        OSError: it is refused.
    """
    if LIBC.unshare(flags) != 0:
        raise _fault("unshare")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount something (mount(2)).

    Raises:
        OSError: it is refused.
    """
    given = [os.fsencode(text) for text in (source, target, kind)]
    if LIBC.mount(given[0], given[1], given[2], ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        raise _fault("mount {} on {}".format(kind or source, target))


def _fault(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, "{}: {}".format(what, os.strerror(number)))
