"""mount, umount2, pivot_root and fstatfs; flags by their C names."""

from __future__ import annotations

import errno
import os

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check, failure

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_MANDLOCK = 64
MS_DIRSYNC = 128
MS_NOSYMFOLLOW = 256
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_SILENT = 32768
MS_POSIXACL = 1 << 16
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_I_VERSION = 1 << 23
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_DETACH = 2
MAX_DATA = 4095  # the smallest page, less its last byte
SYS_PIVOT_ROOT = 155 if os.uname().machine == "x86_64" else 41
PROC_SUPER_MAGIC = 0x9FA0
DEVPTS_SUPER_MAGIC = 0x1CD1


class _Statfs(foreign.Structure):
    """The beginning of struct statfs, the same on every 64-bit machine; the rest is room."""

    _fields_ = [("f_type", foreign.c_long), ("rest", foreign.c_byte * 248)]


LIBC.mount.argtypes = (foreign.c_char_p, foreign.c_char_p, foreign.c_char_p, foreign.c_ulong, foreign.c_char_p)
LIBC.umount2.argtypes = (foreign.c_char_p, foreign.c_int)
LIBC.fstatfs.argtypes = (foreign.c_int, foreign.c_void_p)


def mount(source: bytes | None, target: bytes, fstype: bytes | None, flags: int, data: bytes | None = None) -> None:
    """Make or change a mount; the kernel would cut longer data short and mount what is left."""
    if data is not None and len(data) >= MAX_DATA:
        raise failure("mount", errno.E2BIG, os.fsdecode(target))
    check(LIBC.mount(source, target, fstype, flags, data), "mount", target)


def unmount(target: bytes, flags: int = 0) -> None:
    """Take a mount away."""
    check(LIBC.umount2(target, flags), "umount2", target)


def pivot_root(new: bytes, old: bytes) -> None:
    """Swap this mount namespace's root; glibc has no wrapper."""
    check(LIBC.syscall(foreign.c_long(SYS_PIVOT_ROOT), foreign.c_char_p(new), foreign.c_char_p(old)), "pivot_root", new)


def filesystem_magic(fd: int) -> int:
    """What kind of file system an open file lies on: PROC_SUPER_MAGIC and its like."""
    buffer = _Statfs()
    check(LIBC.fstatfs(fd, foreign.byref(buffer)), "fstatfs")
    return int(buffer.f_type)


# statvfs's words for what a mount is, as mount(2) wants them said again.
_KEPT = (
    (0x1, MS_RDONLY), (0x2, MS_NOSUID), (0x4, MS_NODEV), (0x8, MS_NOEXEC), (0x400, MS_NOATIME), (0x800, MS_NODIRATIME),
    (0x1000, MS_RELATIME), (0x2000, MS_NOSYMFOLLOW),
)  # fmt: skip


def flags_of(fd: int) -> int:
    """The flags of the mount that an open file lies on; in a user namespace a change must keep them."""
    found = os.fstatvfs(fd).f_flag
    return sum(flag for bit, flag in _KEPT if found & bit)
