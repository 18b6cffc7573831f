"""What a tree takes on disk, a hostile one and one that is being changed too: of any depth, with constant stack and open files."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_Inode = tuple[int, int]


@dataclass(frozen=True)
class Usage:
    """Bytes of all but directories, as dockerd counts them, and inodes; each once, however many names it has."""

    size: int
    inodes: int


def measure(directory: str) -> Usage:
    """Count a directory and all in it; what vanishes meanwhile is not counted."""
    walk = _Walk(directory)
    try:
        while walk.step():
            pass
    finally:
        walk.close()
    return Usage(walk.size, len(walk.seen))


class _Walk:
    """Down by name and up by `..`, one directory open at a time."""

    def __init__(self, directory: str) -> None:
        self.size = 0
        self.seen: set[_Inode] = set()
        self._fd = os.open(directory, _DIRECTORY)
        # From the top down to the open one: which directory each is, and those in it that wait.
        self._trail: list[tuple[_Inode, list[str]]] = []
        self._enter()

    def close(self) -> None:
        os.close(self._fd)

    def step(self) -> bool:
        """Go to the next directory, down or up; false at the end."""
        waiting = self._trail[-1][1]
        if waiting:
            with contextlib.suppress(OSError):
                self._move(waiting.pop())
                self._enter()
            return True
        self._trail.pop()
        if not self._trail:
            return False
        # Removed or moved while it was counted, it has no way back, or one that leads out of the tree.
        try:
            self._move("..")
        except FileNotFoundError:
            return False
        return _inode(os.fstat(self._fd)) == self._trail[-1][0]

    def _move(self, name: str) -> None:
        found = os.open(name, _DIRECTORY, dir_fd=self._fd)
        os.close(self._fd)
        self._fd = found

    def _enter(self) -> None:
        status = os.fstat(self._fd)
        self._count(status)
        inside: list[str] = []
        self._trail.append((_inode(status), inside))
        with os.scandir(self._fd) as children:
            for child in children:
                if child.is_dir(follow_symlinks=False):
                    inside.append(child.name)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    self._count(child.stat(follow_symlinks=False))

    def _count(self, status: os.stat_result) -> None:
        if _inode(status) not in self.seen:
            self.seen.add(_inode(status))
            self.size += 0 if stat.S_ISDIR(status.st_mode) else status.st_size


def _inode(status: os.stat_result) -> _Inode:
    return status.st_dev, status.st_ino
