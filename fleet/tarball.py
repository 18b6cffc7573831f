"""Writes tar and gzip by hand: the same input gives the same bytes on every Python and every zlib.

tarfile's headers differ between versions of Python, and deflate's output between zlib and zlib-ng: so gzip stores, uncompressed.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import Dict, Iterable, List, Tuple

from fleet.errors import UsageError

BLOCK = 512
RECORD = 20 * BLOCK
STORED = 0xFFFF
# 2026-01-01; reproducible builds set SOURCE_DATE_EPOCH to say otherwise.
EPOCH = 1767225600


@dataclass(frozen=True)
class Entry:
    """A regular file, a symbolic link where `link` is its target, or a directory where `path` ends in a slash."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    link: str = ""


def epoch() -> int:
    """The time that every entry bears."""
    given = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    if not given.isdecimal() or int(given) >= 8**11:
        raise UsageError(f"SOURCE_DATE_EPOCH should be a number of seconds, not {given!r}.")
    return int(given)


def tar(entries: Iterable[Entry]) -> bytes:
    """An archive in the ustar format, sorted by name, all root's; directories that are not given are added."""
    by_path: Dict[str, Entry] = {}
    for entry in entries:
        parts = entry.path.rstrip("/").split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth]) + "/"
            by_path.setdefault(directory, Entry(directory, mode=0o755))
        by_path[entry.path] = entry
    time = epoch()
    written = [block for _, entry in sorted(by_path.items()) for block in _member(entry, time)]
    size = sum(map(len, written)) + 2 * BLOCK
    return b"".join([*written, bytes(2 * BLOCK), bytes(-size % RECORD)])


def _member(entry: Entry, time: int) -> List[bytes]:
    if entry.path.endswith("/"):
        return [_header(entry, b"5", time)]
    if entry.link:
        return [_header(entry, b"2", time)]
    return [_header(entry, b"0", time), entry.data, bytes(-len(entry.data) % BLOCK)]


def _header(entry: Entry, kind: bytes, time: int) -> bytes:
    prefix, name = _split(entry.path)
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x",
        name,
        b"%07o\0" % entry.mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % len(entry.data),
        b"%011o\0" % time,
        b" " * 8,
        kind,
        entry.link.encode(),
        b"ustar\0",
        b"00",
        b"root",
        b"root",
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        prefix,
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _split(path: str) -> Tuple[bytes, bytes]:
    """A path as ustar's prefix and name."""
    encoded = path.encode()
    if len(encoded) <= 100:
        return b"", encoded
    for index in [index for index, byte in enumerate(encoded[:-1]) if byte == ord("/")]:
        if index <= 155 and len(encoded) - index - 1 <= 100:
            return encoded[:index], encoded[index + 1 :]
    raise ValueError(f"{path}: too long for a tar header")


def gzip(data: bytes) -> bytes:
    """A gzip stream without name and time."""
    blocks = [data[start : start + STORED] for start in range(0, len(data), STORED)] or [b""]
    stream = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for number, block in enumerate(blocks, 1):
        stream += [struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*stream, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])
