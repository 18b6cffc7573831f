"""Mounts, and the file system that holds a path: its type, its room, and whether xfs keeps entries' types."""

import fcntl
import os
import re
import struct

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
            point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal.group(1), 8)]), left.split(b" ")[4])
            found.append(Mount(os.fsdecode(point), right.split(b" ")[0].decode("ascii", "replace")))
    return found


def holding(path: str) -> Mount:
    """The mount that holds `path`."""
    real = os.path.realpath(path)
    best = Mount("/", "unknown")
    for mount in mounts():
        below = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if below and len(mount.point) >= len(best.point):
            best = mount
    return best


def describe(path: str) -> "Dict[str, Any]":
    """The fact document's entry for `path`; where it is missing, for the nearest directory above it."""
    there = path
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    mount, room = holding(there), os.statvfs(there)
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
    flags = struct.unpack_from("=I", geometry, FLAGS)[0]
    return bool(flags & XFS_FSOP_GEOM_FLAGS_FTYPE)
