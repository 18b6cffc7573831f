"""The steps that make devices, links and directories in a container's root; as operations.py, without decisions."""

from __future__ import annotations

import errno
import os
import stat

from skiff.linux import mounts as ms
from skiff.linux.libc import failure
from skiff.oci import inroot


class Node:
    """A device node."""

    def __init__(self, path: bytes, mode: int, device: int, uid: int, gid: int) -> None:
        self.path, self.mode, self.device, self.uid, self.gid = path, mode, device, uid, gid
        self.pipe = stat.S_ISFIFO(mode)

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
            if (stat.S_IFMT(found.st_mode), found.st_rdev) != (stat.S_IFMT(self.mode), self.device):
                raise
        finally:
            os.close(directory)


class BoundNode:
    """A device of the host's, bound onto a file: where nodes cannot be made."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def __str__(self) -> str:
        return f"device {os.fsdecode(self.path)}"

    def __call__(self, root: int) -> None:
        """Bind the node of the same path."""
        if stat.S_IFMT(os.stat(self.path).st_mode) not in (stat.S_IFCHR, stat.S_IFBLK):
            raise failure("mount", errno.ENODEV, os.fsdecode(self.path))
        fd = inroot.make_file(root, self.path)
        try:
            ms.mount(self.path, b"/proc/self/fd/%d" % fd, None, ms.MS_BIND)
        finally:
            os.close(fd)


class Link:
    """A symlink, unless something is there; a `conditional` one is made only where the host has what it leads to."""

    def __init__(self, path: bytes, target: bytes, *, conditional: bool = False) -> None:
        self.path, self.target, self.conditional = path, target, conditional

    def __str__(self) -> str:
        return f"symlink {os.fsdecode(self.path)}"

    def __call__(self, root: int) -> None:
        """Make it where nothing is."""
        if self.conditional and not os.path.exists(self.target):
            return
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
