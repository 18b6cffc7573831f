"""Room on the data root's file system: told before it is used up, so that an archive cannot fill the disk for everybody."""

from __future__ import annotations

import os
from typing import Union

from skiff.errors import SkiffError

# Kept free, for logs and records; of a small file system a part.
RESERVE = 64 << 20
RESERVE_INODES = 10_000
RESERVE_PART = 50


def need(place: Union[str, int], size: int, purpose: str) -> None:
    """Refuse what would not leave the reserve free; `place` is a path or an open file."""
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    reserve = min(RESERVE, found.f_blocks * found.f_frsize // RESERVE_PART)
    if size + reserve > free:
        raise _refusal(place, purpose, f"needs {size} bytes and {reserve} in reserve, {free} are free")
    # Some file systems count no inodes.
    inodes = min(RESERVE_INODES, found.f_files // RESERVE_PART)
    if found.f_files and found.f_favail <= inodes:
        raise _refusal(place, purpose, f"needs an inode and {inodes} in reserve, {found.f_favail} are free")


def _refusal(place: Union[str, int], purpose: str, reason: str) -> SkiffError:
    path = place if isinstance(place, str) else os.readlink(f"/proc/self/fd/{place}")
    return SkiffError(f"{purpose}: no space left on device: {path} {reason}; remove what is not needed and try again")
