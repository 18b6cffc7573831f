"""Mounts, and the file system that holds a path: its type, its room, and whether xfs keeps entries' types."""

import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

XFS_IOC_FSGEOMETRY_V1 = 0x80705864
XFS_FSOP_GEOM_FLAGS_FTYPE = 1 << 16
GEOMETRY = 112  # bytes of struct xfs_fsop_geom_v1
FLAGS = 92  # where its flags lie


class Mount:
    """One line of /proc/self/mountinfo."""

    def __init__(self, point: str, kind: str) -> None:
        self.point = point
        self.type = kind


def mounts() -> "List[Mount]":
    """What is mounted, in the order it was."""
    with open("/proc/self/mountinfo", "rb") as stream:
        return parse(stream.read())


def parse(text: bytes) -> "List[Mount]":
    """The mounts of a mountinfo. Any user may name a mount point (FUSE); the kernel escapes space, tab, newline, backslash."""
    found = []
    for line in text.split(b"\n"):
        left, dash, right = line.partition(b" - ")
        if dash:
            found.append(Mount(os.fsdecode(_plain(left.split(b" ")[4])), right.split(b" ")[0].decode("ascii", "replace")))
    return found


def _plain(point: bytes) -> bytes:
    head, *rest = point.split(b"\\")  # and three octal digits behind each
    return b"".join([head, *(bytes([int(part[:3], 8)]) + part[3:] for part in rest)])


def holding(path: str, mounted: "Optional[List[Mount]]" = None) -> Mount:
    """The mount that holds `path`; `mounted` are all that there are, where they were read already."""
    real = os.path.realpath(path)
    best = Mount("/", "unknown")
    for mount in mounts() if mounted is None else mounted:
        below = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if below and len(mount.point) >= len(best.point):
            best = mount
    return best


def describe(path: str, mounted: "Optional[List[Mount]]" = None) -> "Dict[str, Any]":
    """The fact document's entry for `path`; where it is missing, for the nearest directory above it."""
    there = path
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    mount, room = holding(there, mounted), os.statvfs(there)
    ftype = _xfs_ftype(there) if mount.type == "xfs" else None
    return {
        "path": path,
        "type": mount.type,
        "ftype": ftype,
        "free": room.f_bavail * room.f_frsize,
        "size": room.f_blocks * room.f_frsize,
    }


def _xfs_ftype(path: str) -> "Optional[bool]":
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        geometry = fcntl.ioctl(descriptor, XFS_IOC_FSGEOMETRY_V1, bytes(GEOMETRY))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    flags = int.from_bytes(geometry[FLAGS : FLAGS + 4], sys.byteorder)
    return bool(flags & XFS_FSOP_GEOM_FLAGS_FTYPE)
