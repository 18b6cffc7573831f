"""The host's mounts as a container that has not pivoted would still have them below its root."""

from __future__ import annotations

import errno

from skiff.errors import SyscallError
from skiff.linux import mounts

_KINDS = (b"proc", b"sysfs")
# What the kernel writes as octal, the backslash itself last.
_ESCAPED = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))


def hide(root: bytes) -> None:
    """Take away every proc and sysfs outside of `root`, or cover it: they would show the host unmasked."""
    with open("/proc/self/mountinfo", "rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        head, _, tail = line.partition(b" - ")
        path = _plain(head.split(b" ")[4])
        if tail.split(b" ")[0] not in _KINDS or path == root or path.startswith(root + b"/"):
            continue
        try:
            mounts.mount(None, path, None, mounts.MS_SLAVE | mounts.MS_REC)
            mounts.unmount(path, mounts.MNT_DETACH)
        except SyscallError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            mounts.mount(b"tmpfs", path, b"tmpfs", 0)


def _plain(path: bytes) -> bytes:
    for written, meant in _ESCAPED:
        path = path.replace(written, meant)
    return path
