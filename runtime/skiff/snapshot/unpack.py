"""Unpacks one layer's tar stream into a directory as overlay wants it: whiteouts as 0/0 devices, opaque marks as xattrs.

No entry reaches outside the directory: see directories.py. Whatever fails, the caller drops the directory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from typing import Optional

from skiff.errors import InvalidInput, SkiffError
from skiff.snapshot import attributes, deletion, space
from skiff.snapshot.directories import DIRECTORY, Directories, Parts, parts_of
from skiff.snapshot.tarstream import Entry, TarStream

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
META = ".wh..wh."
OPAQUE_XATTR = "trusted.overlay.opaque"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
_FAULTS_OF_INPUT = (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP, errno.EFBIG, errno.ERANGE, errno.E2BIG)
# A directory entry, an inode and their like.
_OVERHEAD = 4096


def is_opaque(directory: str) -> bool:
    """Whether a directory hides what lower layers have under its name."""
    return OPAQUE_XATTR in os.listxattr(directory)


class Unpacker:
    """One run over one directory, which is empty at first.

    `lowers` are the layers below, topmost first: a directory that the layer does not name itself takes after theirs.
    """

    def __init__(self, directory: str, lowers: Sequence[str] = ()) -> None:
        self._lowers = lowers
        self._inside = Directories(directory)
        # Applied last, deepest first: creating children changes times, and a mode may forbid creating them.
        self._directories: dict[Parts, Optional[Entry]] = {(): None}

    def close(self) -> None:
        """Let go of the directory."""
        self._inside.close()

    def run(self, stream: TarStream) -> None:
        """Unpack everything."""
        for entry in stream:
            with _telling(entry.name):
                self._place(entry, stream)
        for parts in sorted(self._directories, key=len, reverse=True):
            with _telling("/".join(parts)):
                self._finish_directory(parts)

    def _place(self, entry: Entry, stream: TarStream) -> None:
        parts = parts_of(entry.name)
        if not parts:
            if entry.kind != tarfile.DIRTYPE:
                raise InvalidInput(f"{entry.name!r}: the layer's root is no directory")
            self._directories[()] = entry
            return
        above, parent = self._inside.open(parts[:-1], self._ensure)
        name = parts[-1]
        parts = (*above, name)
        space.need(parent, entry.stored + _OVERHEAD, f"cannot unpack {entry.name!r}")
        if name.startswith(WHITEOUT):
            self._whiteout(parent, name)
        elif entry.kind == tarfile.DIRTYPE:
            self._make_directory(parent, name)
            self._directories[parts] = entry
        else:
            self._clear(parent, parts)
            self._make(parent, name, entry, stream)

    def _ensure(self, fd: int, parts: Parts) -> None:
        """A directory that the layer needs and may not name itself."""
        try:
            found = os.stat(parts[-1], dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or _is_whiteout(found):
            self._make_directory(fd, parts[-1])
            self._directories.setdefault(parts, None)

    def _make_directory(self, parent: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                return
            os.unlink(name, dir_fd=parent)
            self._inside.forget()
            os.mkdir(name, 0o700, dir_fd=parent)
            if _is_whiteout(found):
                _mark_opaque(parent, name)

    def _whiteout(self, parent: int, name: str) -> None:
        if name == OPAQUE:
            os.setxattr(parent, OPAQUE_XATTR, b"y")
            return
        # aufs kept its own books under these names; Docker passes them over as well.
        if name.startswith(META):
            return
        hidden = name[len(WHITEOUT) :]
        if hidden in ("", ".", ".."):
            raise InvalidInput(f"{name!r}: a whiteout without a name")
        try:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        except FileExistsError:
            # It hides what lies below this layer, not what the layer itself brings.
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                _mark_opaque(parent, hidden)

    def _clear(self, parent: int, parts: Parts) -> None:
        """Make room: the later of two entries counts."""
        try:
            os.unlink(parts[-1], dir_fd=parent)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            deletion.remove_tree(f"/proc/self/fd/{parent}/{parts[-1]}")
            for known in [known for known in self._directories if known[: len(parts)] == parts]:
                del self._directories[known]
        self._inside.forget()

    def _make(self, parent: int, name: str, entry: Entry, stream: TarStream) -> None:
        if entry.kind == tarfile.REGTYPE:
            self._make_file(parent, name, entry, stream)
        elif entry.kind == tarfile.SYMTYPE:
            os.symlink(entry.link, name, dir_fd=parent)
            attributes.apply_by_name(parent, name, entry)
        elif entry.kind == tarfile.LNKTYPE:
            self._make_hardlink(parent, name, entry)
        elif entry.kind in _NODES:
            os.mknod(name, _NODES[entry.kind] | 0o600, os.makedev(*entry.device), dir_fd=parent)
            attributes.apply_by_name(parent, name, entry)
        else:
            raise InvalidInput(f"{entry.name!r}: members of type {entry.kind!r} are not supported")

    def _make_file(self, parent: int, name: str, entry: Entry, stream: TarStream) -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            for offset, chunk in stream.data():
                _write(fd, offset, chunk)
            if entry.stored != entry.size:
                os.ftruncate(fd, entry.size)
            attributes.apply(fd, entry)
        finally:
            os.close(fd)

    def _make_hardlink(self, parent: int, name: str, entry: Entry) -> None:
        target = parts_of(entry.link)
        if not target:
            raise InvalidInput(f"{entry.name!r}: a hard link to the layer's root")
        kept = os.dup(parent)
        try:
            source = self._inside.open(target[:-1]).fd
            os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=kept, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise InvalidInput(f"{entry.name!r}: a hard link to {entry.link!r}, which is no file of this layer") from error
        finally:
            os.close(kept)

    def _finish_directory(self, parts: Parts) -> None:
        entry = self._directories[parts]
        fd = self._inside.open(parts).fd
        if entry is None:
            self._take_after_lower(fd, parts)
        else:
            attributes.apply(fd, entry)

    def _take_after_lower(self, fd: int, parts: Parts) -> None:
        for lower in self._lowers:
            found = _lower_directory(lower, parts)
            if found:
                os.fchown(fd, found.st_uid, found.st_gid)
                os.fchmod(fd, stat.S_IMODE(found.st_mode))
                return
        os.fchmod(fd, 0o755)


def _lower_directory(lower: str, parts: Parts) -> Optional[os.stat_result]:
    """The directory of that name in a layer, or None; links are not followed here either."""
    fd = os.open(lower, DIRECTORY)
    try:
        for part in parts:
            following = os.open(part, DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = following
        return os.fstat(fd)
    except OSError:
        return None
    finally:
        os.close(fd)


def _write(fd: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def _mark_opaque(parent: int, name: str) -> None:
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        os.setxattr(fd, OPAQUE_XATTR, b"y")
    finally:
        os.close(fd)


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(0, 0)


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """What fails is told with the member's name."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "no space left on device; free some under the data root"
            raise SkiffError(f"cannot unpack {name!r}: {reason}") from error
        kind = InvalidInput if error.errno in _FAULTS_OF_INPUT else SkiffError
        raise kind(f"cannot unpack {name!r}: {error.strerror}") from error
    except (ValueError, OverflowError) as error:
        # A NUL in a name, a number that fits no system call.
        raise InvalidInput(f"cannot unpack {name!r}: {error}") from error
