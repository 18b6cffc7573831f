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
from skiff.linux import newmount
from skiff.linux.libc import failure
from skiff.oci import inroot, treecopy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.mountoptions import Options
    from skiff.spec.types import IdMapping


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


class RootTree:
    """The directory that the process stands in, made a mount of its own without a way to it: another user may not have one."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.tree = -1

    def __str__(self) -> str:
        return f"mount of {os.fsdecode(self.path)} onto itself"

    def __call__(self, _root: int) -> None:
        """Attach a copy to itself; `tree` is the root then."""
        try:
            self.tree = newmount.open_tree(b".", recursive=True)
        except SyscallError as error:
            if error.errno != errno.ENOSYS:
                raise
            ms.mount(self.path, self.path, b"", ms.MS_BIND | ms.MS_REC)
            self.tree = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            return
        here = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        newmount.move_mount(self.tree, here)
        os.close(here)


class PrivateParent:
    """The mount that the root lies on propagates nothing, which pivot_root insists on."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def __str__(self) -> str:
        return f"propagation of the mount above {os.fsdecode(self.path)}"

    def __call__(self, _root: int) -> None:
        """From the path upwards until one is a mount."""
        path = self.path
        while not self._made_private(path):
            path = os.path.dirname(path)

    @staticmethod
    def _made_private(path: bytes) -> bool:
        try:
            ms.mount(None, path, None, ms.MS_PRIVATE)
        except SyscallError as error:
            if error.errno != errno.EINVAL or path == b"/":
                raise
            return False
        return True


class Mount:
    """A mount inside the root; the target is made where missing.

    `tree` is a copy of the source, made by who may see it, that is attached instead; `idmap` the users and groups that it shows.
    """

    def __init__(self, source: bytes, target: bytes, kind: bytes, options: Options) -> None:
        self.source, self.target, self.kind = source, target, kind
        self.flags, self.data, self.options = options.flags, options.data, options
        self.tree = -1
        self.idmap: tuple[list[IdMapping], list[IdMapping]] | None = None

    def __str__(self) -> str:
        return f'mount "{os.fsdecode(self.source)}" to rootfs at "{os.fsdecode(self.target)}"'

    def __call__(self, root: int) -> None:
        """Mount, then what a bind takes in steps of its own."""
        again = self.flags & ms.MS_REMOUNT  # what is there gets other flags, a bind's too, and the source says nothing
        bind = 0 if again else self.flags & (ms.MS_BIND | ms.MS_REC)
        source = os.fstat(self.tree) if self.tree >= 0 else os.stat(self.source) if bind else None
        mode = self._found_mode(root)
        fd = inroot.open_path(root, self.target) if again else self._target(root, source)
        copied = os.open(by_descriptor(fd), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if "tmpcopyup" in self.options.own else -1
        try:
            if self.tree >= 0:
                newmount.move_mount(self.tree, fd)
                os.close(self.tree)
            else:
                ms.mount(self.source, by_descriptor(fd), self.kind, bind or self.flags, None if bind else self.data or None)
            if mode is not None:
                self._set_mode(root, mode)
            if copied >= 0:
                self._copy_up(root, copied)
        finally:
            os.close(fd)
        self._change(root, bind, source)

    def _found_mode(self, root: int) -> int | None:
        """What a tmpfs takes over from the directory below it, unless it is told another mode."""
        if self.kind != b"tmpfs" or b"mode=" in self.data:
            return None
        try:
            fd = inroot.open_path(root, self.target)
        except SyscallError:
            return None
        try:
            return os.fstat(fd).st_mode & 0o7777
        finally:
            os.close(fd)

    def _set_mode(self, root: int, mode: int) -> None:
        fd = inroot.open_path(root, self.target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def _copy_up(self, root: int, copied: int) -> None:
        fd = inroot.open_path(root, self.target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            treecopy.copy(copied, fd)
        finally:
            os.close(fd)
            os.close(copied)

    def _change(self, root: int, bind: int, source: os.stat_result | None) -> None:
        if bind and self.flags & ~bind:
            change(root, self.target, ms.MS_REMOUNT | self.flags & ~ms.MS_REC | ms.MS_BIND, source, self.options.cleared)
        for flags in self.options.propagation:
            change(root, self.target, flags, source)
        if self.options.sets or self.options.clears:
            fd = expected_at(root, self.target, source)
            try:
                newmount.mount_setattr(fd, True, self.options.sets, self.options.clears)
            finally:
                os.close(fd)

    def _target(self, root: int, source: os.stat_result | None) -> int:
        if source is not None and source.st_mode & 0o170000 != 0o040000:
            return inroot.make_file(root, self.target)
        # An image may make these symlinks, to have the kernel's file systems land elsewhere (CVE-2019-19921).
        return inroot.make_directory(root, self.target, links=self.kind not in (b"proc", b"sysfs"))


def expected_at(root: int, target: bytes, expected: os.stat_result | None) -> int:
    """What is at `target`, which must still be `expected`: another container may share the directory above it."""
    fd = inroot.open_path(root, target)
    if expected is not None and not os.path.samestat(os.fstat(fd), expected):
        os.close(fd)
        raise failure("mount", errno.ESTALE, f"{os.fsdecode(target)} changed while it was mounted")
    return fd


def change(root: int, target: bytes, flags: int, expected: os.stat_result | None = None, cleared: int = 0) -> None:
    """Change the mount at `target`; flags that a user namespace has locked are kept, unless they are to be `cleared`."""
    fd = expected_at(root, target, expected)
    try:
        ms.mount(None, by_descriptor(fd), None, flags)
    except SyscallError as error:
        locked = ms.flags_of(fd) if error.errno == errno.EPERM and flags & ms.MS_REMOUNT else 0
        if locked & ~flags == 0 or locked & cleared:
            raise
        ms.mount(None, by_descriptor(fd), None, flags | locked)
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
        change(root, self.target, ms.MS_REMOUNT | ms.MS_BIND | self.flags)


class RootPropagation:
    """What the root itself propagates, where that would have kept it from being bound."""

    def __init__(self, flags: int) -> None:
        self.flags = flags

    def __str__(self) -> str:
        return f"propagation {self.flags:#x} of the root"

    def __call__(self, root: int) -> None:
        """Change it."""
        change(root, b"/", self.flags)


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
        kept = ms.flags_of(fd)
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
