"""Copies of mounts made outside of a container for the inside: sources that its user may not see, and id-mapped ones."""

from __future__ import annotations

import errno
import os

from skiff.errors import SyscallError, Unsupported
from skiff.linux import mounts as ms
from skiff.linux import newmount
from skiff.oci import mappings
from skiff.oci.operations import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.namespaces import NamespacePlan
    from skiff.oci.rootfs import RootfsPlan


def open_all(rootfs: RootfsPlan, namespaces: NamespacePlan) -> list[int]:
    """Give the plan's binds their trees; the descriptors, which the caller closes after the fork."""
    opened: list[int] = []
    try:
        for operation in rootfs.inside:
            if not isinstance(operation, Mount) or operation.flags & (ms.MS_BIND | ms.MS_REMOUNT) != ms.MS_BIND:
                continue
            if operation.idmap is not None:
                operation.tree = _mapped(operation, namespaces)
            elif namespaces.users and namespaces.privileged:
                operation.tree = _copy(operation)
            if operation.tree >= 0:
                opened.append(operation.tree)
    except BaseException:
        close_all(opened)
        raise
    return opened


def close_all(opened: list[int]) -> None:
    """Let go of them."""
    for fd in opened:
        os.close(fd)


def _copy(operation: Mount) -> int:
    """-1 where the kernel has no open_tree: the container then takes the path itself."""
    try:
        tree = newmount.open_tree(operation.source, recursive=bool(operation.flags & ms.MS_REC))
    except SyscallError as error:
        if error.errno != errno.ENOSYS:
            raise
        return -1
    if not any(flags & ms.MS_SHARED for flags in operation.options.propagation):
        # Made here it is still a peer of the host's mount.
        newmount.mount_setattr(tree, True, 0, 0, ms.MS_SLAVE)
    return tree


def _mapped(operation: Mount, namespaces: NamespacePlan) -> int:
    assert operation.idmap is not None
    users, groups = operation.idmap
    tree = _copy(operation)
    if tree < 0:
        raise Unsupported(f"mount {os.fsdecode(operation.target)}: idmapped mounts need Linux 5.12")
    namespace = -1
    try:
        namespace = mappings.namespace(users, groups) if users else os.dup(namespaces.user)
        newmount.mount_setattr(tree, "ridmap" in operation.options.own, newmount.MOUNT_ATTR_IDMAP, 0, 0, namespace)
    except SyscallError as error:
        os.close(tree)
        if error.errno in (errno.ENOSYS, errno.EINVAL):
            where = os.fsdecode(operation.source)
            raise Unsupported(f"mount {where}: its file system or this kernel has no idmapped mounts: {error}") from error
        raise
    finally:
        if namespace >= 0:
            os.close(namespace)
    return tree
