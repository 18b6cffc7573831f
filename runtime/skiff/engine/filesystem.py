"""What file system the data root lies on, and whether it tells the types of directory entries, which overlay needs."""

from __future__ import annotations

import ctypes
import os
import tempfile

# statfs magic numbers of linux/magic.h, under dockerd's names.
NAMES = {
    0x9123683E: "btrfs",
    0xEF53: "extfs",
    0x58465342: "xfs",
    0x01021994: "tmpfs",
    0x794C7630: "overlayfs",
    0x6969: "nfs",
    0x65735546: "fuse",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
}
DT_UNKNOWN = 0


class _Dirent(ctypes.Structure):
    _fields_ = [
        ("d_ino", ctypes.c_uint64),
        ("d_off", ctypes.c_int64),
        ("d_reclen", ctypes.c_ushort),
        ("d_type", ctypes.c_ubyte),
        ("d_name", ctypes.c_char * 256),
    ]


def name(path: str) -> str:
    """The file system's name, `<unknown>` as dockerd has it for one that is not in the table."""
    libc = ctypes.CDLL(None, use_errno=True)
    # f_type is the first field of struct statfs, a long on 64-bit hosts; the whole takes 120 bytes.
    buffer = ctypes.create_string_buffer(256)
    if libc.statfs(os.fsencode(path), buffer) != 0:
        return "<unknown>"
    return NAMES.get(ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF, "<unknown>")


def supports_d_type(path: str) -> bool:
    """Whether a file made below `path` is listed with its type (xfs made with ftype=0 does not)."""
    with tempfile.TemporaryDirectory(prefix=".d_type-", dir=path) as directory:
        with open(os.path.join(directory, "probe"), "wb"):
            pass
        return all(kind != DT_UNKNOWN for kind in _entry_types(directory))


def _entry_types(directory: str) -> list[int]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = ctypes.c_void_p
    libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    libc.readdir.restype = ctypes.POINTER(_Dirent)
    handle = libc.opendir(os.fsencode(directory))
    if not handle:
        return [DT_UNKNOWN]
    types = []
    while entry := libc.readdir(handle):
        types.append(entry.contents.d_type)
    libc.closedir(handle)
    return types
