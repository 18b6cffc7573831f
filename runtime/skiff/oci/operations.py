"""The steps that make a container's root: each is called with the root to do itself, and tells itself as text; no decisions.

They run in the container's mount namespace, before its root is entered, so host paths still mean the host. `root` is an
O_PATH descriptor of the new root, or -1 before there is one.
"""

from __future__ import annotations

import abc
import errno
import os

from skiff.errors import SyscallError
from skiff.linux import mounts as ms
from skiff.linux.libc import failure
from skiff.oci import inroot


def by_descriptor(fd: int) -> bytes:
    """A path that means the open file whatever happens to its name."""
    return b"/proc/self/fd/%d" % fd


class Propagation:
    """Cut this mount namespace's tree off from the host's."""

    def __init__(self, flags: int) -> None:
        self.flags = flags

    def __str__(self) -> str:
        return f"propagation {self.flags:#x} of /"

    def __call__(self, _root: int) -> None:
        """Whatever the root."""
        ms.mount(None, b"/", None, self.flags)


class HostMount:
    """A mount at a host path: the container's root itself."""

    def __init__(self, source: bytes, target: bytes, kind: bytes, flags: int, data: bytes) -> None:
        self.source, self.target, self.kind, self.flags, self.data = source, target, kind, flags, data

    def __str__(self) -> str:
        return f"mount {os.fsdecode(self.kind)} at {os.fsdecode(self.target)}"

    def __call__(self, _root: int) -> None:
        """Whatever the root."""
        ms.mount(self.source, self.target, self.kind, self.flags, self.data or None)


class Mount:
    """A mount inside the root; the target is made where missing."""

    def __init__(self, source: bytes, target: bytes, kind: bytes, flags: int, propagation: list[int], data: bytes) -> None:
        self.source, self.target, self.kind, self.flags, self.data = source, target, kind, flags, data
        self.propagation = propagation

    def __str__(self) -> str:
        return f'mount "{os.fsdecode(self.source)}" to rootfs at "{os.fsdecode(self.target)}"'

    def __call__(self, root: int) -> None:
        """Mount, then what a bind takes in steps of its own."""
        bind = self.flags & (ms.MS_BIND | ms.MS_REC)
        source = os.stat(self.source) if bind else None
        fd = self._target(root, source)
        try:
            ms.mount(self.source, by_descriptor(fd), self.kind, bind or self.flags, None if bind else self.data or None)
        finally:
            os.close(fd)
        if bind and self.flags & ~bind:
            change(root, self.target, ms.MS_REMOUNT | self.flags & ~ms.MS_REC | ms.MS_BIND, source)
        for flags in self.propagation:
            change(root, self.target, flags, source)

    def _target(self, root: int, source: os.stat_result | None) -> int:
        if source is not None and source.st_mode & 0o170000 != 0o040000:
            return inroot.make_file(root, self.target)
        # An image may make these symlinks, to have the kernel's file systems land elsewhere (CVE-2019-19921).
        return inroot.make_directory(root, self.target, links=self.kind not in (b"proc", b"sysfs"))


def change(root: int, target: bytes, flags: int, expected: os.stat_result | None = None) -> None:
    """Change the mount at `target`, which must still be that of `expected`: another container may share the directory above it."""
    fd = inroot.open_path(root, target)
    try:
        if expected is not None and not os.path.samestat(os.fstat(fd), expected):
            raise failure("mount", errno.ESTALE, f"{os.fsdecode(target)} changed while it was mounted")
        ms.mount(None, by_descriptor(fd), None, flags)
    finally:
        os.close(fd)


class Remount:
    """Other flags for a mount made before."""

    def __init__(self, target: bytes, flags: int) -> None:
        self.target, self.flags = target, flags

    def __str__(self) -> str:
        return f"remount {os.fsdecode(self.target)}"

    def __call__(self, root: int) -> None:
        """Change the flags."""
        change(root, self.target, ms.MS_REMOUNT | self.flags)


class Node:
    """A device node."""

    def __init__(self, path: bytes, mode: int, device: int, uid: int, gid: int) -> None:
        self.path, self.mode, self.device, self.uid, self.gid = path, mode, device, uid, gid

    def __str__(self) -> str:
        return f"device {os.fsdecode(self.path)}"

    def __call__(self, root: int) -> None:
        """Make it, or find the same device there."""
        parent, name = inroot.split(self.path)
        directory = inroot.make_directory(root, parent)
        try:
            os.mknod(name, self.mode, self.device, dir_fd=directory)
            os.chown(name, self.uid, self.gid, dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if (found.st_mode & 0o170000, found.st_rdev) != (self.mode & 0o170000, self.device):
                raise
        finally:
            os.close(directory)


class Link:
    """A symlink, unless something is there."""

    def __init__(self, path: bytes, target: bytes) -> None:
        self.path, self.target = path, target

    def __str__(self) -> str:
        return f"symlink {os.fsdecode(self.path)}"

    def __call__(self, root: int) -> None:
        """Make it where nothing is."""
        parent, name = inroot.split(self.path)
        directory = inroot.make_directory(root, parent)
        try:
            os.symlink(self.target, name, dir_fd=directory)
        except FileExistsError:
            return
        finally:
            os.close(directory)


class Directory:
    """A directory, unless it is there."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def __str__(self) -> str:
        return f"mkdir {os.fsdecode(self.path)}"

    def __call__(self, root: int) -> None:
        """Make it with its parents."""
        os.close(inroot.make_directory(root, self.path))


class Sysctl:
    """A kernel parameter of one of the container's namespaces, through its own /proc."""

    def __init__(self, name: str, value: bytes) -> None:
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"sysctl {self.name}"

    def __call__(self, root: int) -> None:
        """Write it, if the file is really procfs."""
        path = os.fsencode("proc/sys/" + self.name.replace(".", "/"))
        fd = inroot.open_path(root, path, os.O_WRONLY, links=False)
        try:
            require_proc(fd)
            os.write(fd, self.value)
        finally:
            os.close(fd)


def require_proc(fd: int) -> None:
    """Refuse a file that an image planted where procfs should be."""
    if ms.filesystem_magic(fd) != ms.PROC_SUPER_MAGIC:
        raise failure("fstatfs", errno.EXDEV, "not on a proc file system")


class _Covered(abc.ABC):
    """A path that the container shall see changed; one that is not there needs nothing."""

    def __init__(self, path: bytes, proc: bool) -> None:
        self.path, self.proc = path, proc

    def __call__(self, root: int) -> None:
        """Find it, and cover what was found."""
        try:
            fd = inroot.open_path(root, self.path)
        except SyscallError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return
            raise
        try:
            if self.proc:
                require_proc(fd)
            self.cover(root, fd)
        finally:
            os.close(fd)

    @abc.abstractmethod
    def cover(self, root: int, fd: int) -> None:
        """Mount over the open file."""


class ReadOnly(_Covered):
    """A path that the container may read."""

    def __str__(self) -> str:
        return f"read-only {os.fsdecode(self.path)}"

    def cover(self, root: int, fd: int) -> None:
        """Bind it onto itself, keep its flags, add read-only."""
        kept = os.fstatvfs(fd).f_flag & (ms.MS_NOSUID | ms.MS_NODEV | ms.MS_NOEXEC)
        ms.mount(by_descriptor(fd), by_descriptor(fd), None, ms.MS_BIND | ms.MS_REC)
        change(root, self.path, ms.MS_REMOUNT | ms.MS_BIND | ms.MS_RDONLY | kept)


class Masked(_Covered):
    """A path of which the container may see nothing."""

    def __str__(self) -> str:
        return f"mask {os.fsdecode(self.path)}"

    def cover(self, _root: int, fd: int) -> None:
        """An empty read-only tmpfs for a directory, the host's /dev/null for anything else."""
        if os.fstat(fd).st_mode & 0o170000 == 0o040000:
            ms.mount(b"tmpfs", by_descriptor(fd), b"tmpfs", ms.MS_RDONLY)
        else:
            ms.mount(b"/dev/null", by_descriptor(fd), None, ms.MS_BIND)
