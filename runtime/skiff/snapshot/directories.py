"""Directories inside one layer by name, as a chroot of the layer would find them: its own links are followed, none leads out.

Nobody else changes the layer meanwhile, so one step after another is safe on any kernel.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

from skiff.errors import InvalidInput

NAME_LIMIT = 4096
DEPTH_LIMIT = 200
LINK_LIMIT = 40
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = tuple[str, ...]


def parts_of(name: str) -> Parts:
    """A member's name as components, cleaned as Docker does; refused if it would leave the layer."""
    if len(os.fsencode(name)) > NAME_LIMIT or "\0" in name:
        raise InvalidInput(f"{name[:80]!r}…: the name is too long or holds a NUL")
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise InvalidInput(f"{name!r}: the name leads out of the layer")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    _check_depth(parts)
    return tuple(parts)


class Directory(NamedTuple):
    """An open directory, and its name in the layer without any link."""

    parts: Parts
    fd: int


class Directories:
    """Opens them; the one that was opened last stays open until the next."""

    def __init__(self, root: str) -> None:
        self._root = os.open(root, DIRECTORY)
        self._asked: Optional[Parts] = None
        self._found = Directory((), os.dup(self._root))

    def close(self) -> None:
        """Let go of the layer."""
        os.close(self._found.fd)
        os.close(self._root)

    def forget(self) -> None:
        """Something was replaced: names are looked up anew from here on."""
        self._asked = None

    def open(self, parts: Parts, ensure: Optional[Callable[[int, Parts], None]] = None) -> Directory:
        """A directory; `ensure` may make each on the way, told the one above it and the name without links."""
        if parts != self._asked:
            found = self._walk(parts, ensure)
            os.close(self._found.fd)
            self._asked, self._found = parts, found
        return self._found

    def _walk(self, parts: Parts, ensure: Optional[Callable[[int, Parts], None]]) -> Directory:
        trail, at = [os.dup(self._root)], list[str]()
        waiting, links = list(reversed(parts)), 0
        try:
            while waiting:
                part = waiting.pop()
                target = _link_target(trail[-1], part)
                if target is not None:
                    links += 1
                    if links > LINK_LIMIT:
                        raise InvalidInput(f"{'/'.join(parts)!r}: too many links")
                    if target.startswith("/"):
                        _ascend(trail, at, len(at))
                    waiting.extend(reversed(target.split("/")))
                elif part == "..":
                    _ascend(trail, at, min(1, len(at)))
                elif part not in ("", "."):
                    at.append(part)
                    _check_depth(at)
                    if ensure:
                        ensure(trail[-1], tuple(at))
                    trail.append(_descend(trail[-1], part, parts))
            return Directory(tuple(at), trail.pop())
        finally:
            for fd in trail:
                os.close(fd)


def _check_depth(parts: Sequence[str]) -> None:
    if len(parts) > DEPTH_LIMIT:
        raise InvalidInput(f"{'/'.join(parts)[:80]!r}…: more than {DEPTH_LIMIT} directories deep")


def _ascend(trail: list[int], at: list[str], count: int) -> None:
    for _ in range(count):
        os.close(trail.pop())
        at.pop()


def _link_target(fd: int, name: str) -> Optional[str]:
    if name in ("", ".", ".."):
        return None
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
        return None


def _descend(fd: int, part: str, parts: Parts) -> int:
    try:
        return os.open(part, DIRECTORY, dir_fd=fd)
    except NotADirectoryError as error:
        raise InvalidInput(f"{'/'.join(parts)!r}: {part!r} is no directory of this layer") from error
