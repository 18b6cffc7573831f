"""A container's terminal: allocated in its own devpts, its master sent through the console socket."""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import errno
import os
import struct

from skiff.errors import InvalidInput, SyscallError
from skiff.linux import mounts, terminal
from skiff.linux.libc import failure
from skiff.oci import inroot

_MASTER = b"/dev/ptmx"  # as what it is announced


def connect(path: str) -> int:
    """A descriptor of the socket at which somebody waits for the master."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise InvalidInput(f"--console-socket {path}: {(error.strerror or str(error)).lower()}") from error
    return sock.detach()


def allocate(root: int, at: bytes) -> tuple[int, int]:
    """Master and the program's end, from the devpts below `root`; where `at` is not empty, that file shows the latter too."""
    try:
        master = inroot.open_path(root, b"/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
        master = inroot.open_path(root, b"/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    if mounts.filesystem_magic(master) != mounts.DEVPTS_SUPER_MAGIC:
        raise failure("open", errno.EXDEV, "/dev/pts/ptmx is not on devpts")
    end = terminal.other_end(master)
    if at:
        fd = inroot.make_file(root, at)
        mounts.mount(b"/proc/self/fd/%d" % end, b"/proc/self/fd/%d" % fd, None, mounts.MS_BIND)
        os.close(fd)
    return master, end


def send(connection: int, master: int) -> None:
    """Hand the master over, in the way that runc's callers expect."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, fileno=os.dup(connection))
    try:
        sock.sendmsg([_MASTER], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", master))])
    finally:
        sock.close()


def receive(sock: _socket.socket) -> int:
    """The master that was sent; -1 if nobody sent one."""
    _, ancillary, _, _ = sock.recvmsg(4096, _socket.CMSG_SPACE(struct.calcsize("i")))
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            return int(struct.unpack("i", data[: struct.calcsize("i")])[0])
    return -1
