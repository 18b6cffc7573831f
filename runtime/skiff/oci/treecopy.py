"""Copies what is in one open directory into another, both a container's: by descriptors, following no link."""

from __future__ import annotations

import os
import stat

from skiff.errors import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO that takes a file's place does not hold it up
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK = 1 << 24


def copy(source: int, target: int) -> None:
    """Everything below `source` with its owners, modes, times and extended attributes; sockets are left out."""
    for name in os.listdir(source):
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=target)
            _inner(name, source, target, _DIRECTORY, _DIRECTORY, copy)
        elif kind == stat.S_IFREG:
            _inner(name, source, target, _READING, _WRITING, _content)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        elif kind != stat.S_IFSOCK:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
    _attributes(source, target)


def _inner(name: str, source: int, target: int, reading: int, writing: int, step: Callable[[int, int], None]) -> None:
    inner = os.open(name, reading, dir_fd=source)
    try:
        made = os.open(name, writing, 0o600, dir_fd=target)
        try:
            step(inner, made)
        finally:
            os.close(made)
    finally:
        os.close(inner)


def _content(source: int, target: int) -> None:
    while os.sendfile(target, source, None, CHUNK):
        continue
    _attributes(source, target)


def _attributes(source: int, target: int) -> None:
    found = os.fstat(source)
    os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(source):
        with suppress(OSError):  # a tmpfs keeps some kinds only
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
