"""Opens and makes paths inside a root directory that may be hostile: no symlink leads out, and none is followed twice.

By openat2 where the kernel has it (5.6), else component by component on O_PATH descriptors.
"""

from __future__ import annotations

import errno
import os

from skiff.errors import SyscallError, suppress
from skiff.linux.libc import failure
from skiff.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

MAX_LINKS = 40
ATTEMPTS = 64
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_path(root: int, path: bytes, flags: int = os.O_PATH, *, links: bool = True) -> int:
    """Open what is at `path` below `root`; with `links` false any symlink on the way is an error (ELOOP)."""
    relative = path.lstrip(b"/") or b"."
    how = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if links else RESOLVE_NO_SYMLINKS)
    try:
        return _in_root(root, relative, flags, how, ATTEMPTS)
    except SyscallError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    return walk(root, relative, flags, links=links)


def _in_root(root: int, relative: bytes, flags: int, how: int, attempts: int) -> int:
    """Once more where names changed meanwhile: openat2(2), EAGAIN."""
    try:
        return openat2(root, relative, flags, how)
    except SyscallError as error:
        if error.errno != errno.EAGAIN or attempts == 0:
            raise
    return _in_root(root, relative, flags, how, attempts - 1)


def walk(root: int, path: bytes, flags: int, *, links: bool = True) -> int:
    """open_path for a kernel without openat2."""
    trail = [os.dup(root)]
    waiting = path.split(b"/")[::-1]
    followed = 0
    try:
        while waiting:
            part = waiting.pop()
            if part == b"..":
                if len(trail) > 1:
                    os.close(trail.pop())
            elif part not in (b"", b"."):
                found = os.open(part, _WALK, dir_fd=trail[-1])
                trail.append(found)
                target = _link_target(found)
                if target is None:
                    continue
                os.close(trail.pop())
                followed += 1
                if not links or followed > MAX_LINKS:
                    raise failure("open", errno.ELOOP, os.fsdecode(path))
                if target.startswith(b"/"):
                    while len(trail) > 1:
                        os.close(trail.pop())
                waiting.extend(target.split(b"/")[::-1])
        return os.open(b"/proc/self/fd/%d" % trail[-1], flags | os.O_CLOEXEC)
    except OSError as error:
        raise failure("open", error.errno or 0, os.fsdecode(path)) from None
    finally:
        for fd in trail:
            os.close(fd)


def _link_target(fd: int) -> bytes | None:
    try:
        return os.readlink(b"", dir_fd=fd)
    except OSError:
        return None


def make_directory(root: int, path: bytes, mode: int = 0o755, *, links: bool = True) -> int:
    """The directory at `path`, made with its parents where missing, as an O_PATH descriptor."""
    try:
        return open_path(root, path, os.O_PATH | os.O_DIRECTORY, links=links)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
    if not _made_last(root, path, mode, links=links):
        _make_parts(root, path, mode, MAX_LINKS)
    return open_path(root, path, os.O_PATH | os.O_DIRECTORY, links=links)


def _made_last(root: int, path: bytes, mode: int, *, links: bool) -> bool:
    """Whether nothing but the last part was missing: as good as always, for a fifth of the calls."""
    parent, name = split(path)
    try:
        fd = open_path(root, parent, os.O_PATH | os.O_DIRECTORY, links=links)
    except SyscallError:
        return False
    try:
        os.mkdir(name, mode, dir_fd=fd)
    except OSError:
        return False  # a link to what is not there, or what the long way fails at as well
    finally:
        os.close(fd)
    return True


def _make_parts(root: int, path: bytes, mode: int, links: int) -> None:
    parts = [part for part in path.split(b"/") if part]
    for depth in range(1, len(parts) + 1):
        parent = b"/".join(parts[: depth - 1])
        target = _make_one(root, parent, parts[depth - 1], mode)
        if target is not None and links:
            # A link to what is not there yet: that is made, inside the root.
            _make_parts(root, target if target.startswith(b"/") else parent + b"/" + target, mode, links - 1)


def _make_one(root: int, parent: bytes, name: bytes, mode: int) -> bytes | None:
    """Where the link leads that is there already; None for anything else."""
    fd = open_path(root, parent, os.O_PATH | os.O_DIRECTORY)
    try:
        os.mkdir(name, mode, dir_fd=fd)
    except FileExistsError:
        with suppress(OSError):
            return os.readlink(name, dir_fd=fd)
    finally:
        os.close(fd)
    return None


def make_file(root: int, path: bytes) -> int:
    """What is at `path`, or a new empty file there, as an O_PATH descriptor."""
    try:
        return open_path(root, path)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
    parent, name = split(path)
    fd = make_directory(root, parent)
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o755, dir_fd=fd))
    finally:
        os.close(fd)
    return open_path(root, path)


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory and the name in it."""
    parent, _, name = path.rstrip(b"/").rpartition(b"/")
    return parent, name


def read_file(root: int, path: bytes, limit: int) -> bytes:
    """The first `limit` bytes of a regular file; nothing if it is missing, unreadable or something else."""
    try:
        fd = open_path(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except SyscallError:
        return b""
    try:
        if os.fstat(fd).st_mode & 0o170000 != 0o100000:
            return b""
        parts = []
        while limit > 0:
            part = os.read(fd, min(limit, 65536))
            if not part:
                break
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
