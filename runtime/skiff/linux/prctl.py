"""prctl(2)."""

from __future__ import annotations

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

LIBC.prctl.argtypes = (foreign.c_int, foreign.c_ulong, foreign.c_ulong, foreign.c_ulong, foreign.c_ulong)


def prctl(option: int, second: int, third: int = 0) -> None:
    """An option with up to two numbers."""
    check(LIBC.prctl(option, second, third, 0, 0), "prctl", str(option))


def set_name(name: bytes) -> None:
    """What ps and /proc/PID/comm call this process; 15 bytes at most."""
    buffer = foreign.create_string_buffer(name[:15])
    prctl(PR_SET_NAME, foreign.addressof(buffer))
