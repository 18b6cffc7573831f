"""What a layer tells of a file or directory besides its content: owner, mode, extended attributes, time."""

from __future__ import annotations

import errno
import os

from skiff.snapshot.tarstream import Entry

# Others are the host's business: overlay's own marks would reach into other layers, labels are the host's policy.
_XATTRS = ("user.", "security.capability", "system.posix_acl_access", "system.posix_acl_default")
_NOT_XATTRS = ("user.overlay.",)


def apply(fd: int, entry: Entry) -> None:
    """To an open file or directory."""
    # In this order: a change of owner clears set-user-ID and capabilities.
    os.fchown(fd, entry.uid, entry.gid)
    os.fchmod(fd, entry.mode)
    for name, value in entry.xattrs.items():
        if name.startswith(_XATTRS) and not name.startswith(_NOT_XATTRS):
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                # Docker too unpacks onto a file system without them.
                if error.errno != errno.ENOTSUP:
                    raise
    os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))


def apply_by_name(parent: int, name: str, entry: Entry) -> None:
    """To a link or a node, which cannot be opened; a link has no mode."""
    os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
    if not entry.is_link:
        os.chmod(name, entry.mode, dir_fd=parent)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)
