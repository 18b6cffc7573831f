"""Capability numbers by name, and the calls that set a process's five sets."""

from __future__ import annotations

import errno

from skiff.errors import SyscallError
from skiff.linux import foreign, prctl
from skiff.linux.libc import LIBC, check

# In the kernel's order, from linux/capability.h.
NAMES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
    "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip
MOST = 64  # bits of a set
NUMBERS = {name: number for number, name in enumerate(NAMES)}
_VERSION_3 = 0x20080522


class _Header(foreign.Structure):
    _fields_ = [("version", foreign.c_uint32), ("pid", foreign.c_int)]


class _Sets(foreign.Structure):
    _fields_ = [("effective", foreign.c_uint32), ("permitted", foreign.c_uint32), ("inheritable", foreign.c_uint32)]


LIBC.capset.argtypes = (foreign.c_void_p, foreign.c_void_p)
LIBC.capget.argtypes = (foreign.c_void_p, foreign.c_void_p)


def mask(names: list[str] | tuple[str, ...]) -> int:
    """A set as bits; unknown names are none."""
    return sum(1 << NUMBERS[name] for name in set(names) if name in NUMBERS)


def last() -> int:
    """The highest capability that this kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        return int(file.read())


def permitted() -> int:
    """What this process may have."""
    sets = (_Sets * 2)()
    check(LIBC.capget(foreign.byref(_Header(_VERSION_3, 0)), sets), "capget")
    return int(sets[0].permitted | sets[1].permitted << 32)


def set_sets(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for this process."""
    sets = (_Sets * 2)()
    for half in (0, 1):
        shift = 32 * half
        sets[half] = _Sets(effective >> shift & 0xFFFFFFFF, permitted >> shift & 0xFFFFFFFF, inheritable >> shift & 0xFFFFFFFF)
    check(LIBC.capset(foreign.byref(_Header(_VERSION_3, 0)), sets), "capset")


def drop_bounding(kept: int, last_capability: int) -> None:
    """Take everything but `kept` from the bounding set."""
    for number in range(last_capability + 1):
        if not kept >> number & 1:
            prctl.prctl(prctl.PR_CAPBSET_DROP, number)


def set_ambient(wanted: int) -> None:
    """The ambient set, from empty."""
    try:
        prctl.prctl(prctl.PR_CAP_AMBIENT, prctl.PR_CAP_AMBIENT_CLEAR_ALL)
    except SyscallError as error:
        if wanted or error.errno != errno.EINVAL:  # a kernel before 4.3 has no such set to clear
            raise
    for number in range(wanted.bit_length()):
        if wanted >> number & 1:
            prctl.prctl(prctl.PR_CAP_AMBIENT, prctl.PR_CAP_AMBIENT_RAISE, number)
