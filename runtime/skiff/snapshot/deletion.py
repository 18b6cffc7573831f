"""Removes a tree whose content may be hostile: of any depth, with constant stack and open files, following no link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Optional

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a directory and all in it; nothing if it is not there.

    What cannot be removed is passed over, and the first error raised in the end.
    """
    try:
        top = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    removal = _Removal(top)
    try:
        removal.run()
    finally:
        os.close(top)
    if removal.failure:
        raise removal.failure
    os.rmdir(path)


def discard(path: str) -> Optional[str]:
    """remove_tree for what nobody needs any more: words about what is left, if anything is, rather than an error."""
    try:
        remove_tree(path)
    except OSError as error:
        return f"cannot remove {path}: {error.strerror}"
    return None


def sweep(directory: str) -> list[str]:
    """Discard every tree in a directory; words about each that is left."""
    left = (discard(os.path.join(directory, name)) for name in os.listdir(directory))
    return [words for words in left if words]


class _Removal:
    """A directory found inside is moved up beside the others at the top and emptied in its turn, so no path ever grows."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._waiting: list[bytes] = []
        self._count = 0
        self.failure: Optional[OSError] = None

    def run(self) -> None:
        self._empty(b".")
        while self._waiting:
            name = self._waiting.pop()
            self._empty(name)
            with self._noting():
                os.rmdir(name, dir_fd=self._top)

    def _empty(self, name: bytes) -> None:
        """Remove what lies in a directory of the top, or in the top itself, which keeps its directories for later."""
        with self._noting():
            directory = os.open(name, _DIRECTORY, dir_fd=self._top)
            try:
                with os.scandir(directory) as children:
                    for child in children:
                        with self._noting():
                            self._take(directory, os.fsencode(child.name), child.is_dir(follow_symlinks=False), name == b".")
            finally:
                os.close(directory)

    def _take(self, directory: int, name: bytes, is_directory: bool, in_top: bool) -> None:
        if not is_directory:
            os.unlink(name, dir_fd=directory)
            return
        moved = name if in_top else self._free_name()
        if not in_top:
            os.rename(name, moved, src_dir_fd=directory, dst_dir_fd=self._top)
        self._waiting.append(moved)

    def _free_name(self) -> bytes:
        while True:
            self._count += 1
            name = b".removing-%d" % self._count
            try:
                os.stat(name, dir_fd=self._top, follow_symlinks=False)
            except FileNotFoundError:
                return name

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
