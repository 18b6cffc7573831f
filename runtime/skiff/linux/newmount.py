"""open_tree, move_mount and mount_setattr (Linux 5.2 and 5.12): mounts by descriptor, not yet attached anywhere."""

from __future__ import annotations

import os

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
# The same on every machine.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = map(foreign.c_long, (428, 429, 442))


class _MountAttr(foreign.Structure):
    _fields_ = [(name, foreign.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def open_tree(path: bytes, recursive: bool) -> int:
    """A copy of the mount at `path`, or of all from there on, that is attached nowhere; it goes when it is closed."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    result = LIBC.syscall(_OPEN_TREE, foreign.c_int(_AT_FDCWD), foreign.c_char_p(path), foreign.c_uint(flags))
    return check(result, "open_tree", path)


def move_mount(tree: int, target: int) -> None:
    """Attach a tree at an open file or directory."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    result = LIBC.syscall(
        _MOVE_MOUNT, foreign.c_int(tree), foreign.c_char_p(b""), foreign.c_int(target), foreign.c_char_p(b""), foreign.c_uint(flags)
    )
    check(result, "move_mount")


def mount_setattr(fd: int, recursive: bool, sets: int, clears: int, propagation: int = 0, userns: int = 0) -> None:
    """Change the mount at `fd`, and all below it where `recursive`; `userns` goes with MOUNT_ATTR_IDMAP."""
    attributes = _MountAttr(sets, clears, propagation, userns)
    result = LIBC.syscall(
        _MOUNT_SETATTR,
        foreign.c_int(fd),
        foreign.c_char_p(b""),
        foreign.c_uint(_AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)),
        foreign.byref(attributes),
        foreign.c_size_t(foreign.sizeof(attributes)),
    )
    check(result, "mount_setattr")
