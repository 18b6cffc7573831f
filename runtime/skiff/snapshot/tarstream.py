"""A tar stream's entries, read forward only and with bounded memory, whoever wrote it: ustar, GNU long names, pax, sparse files.

Writes nothing. The standard library's reader is not used for this: it keeps every entry and reads headers of any declared size.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Optional, Protocol

from skiff.errors import InvalidInput
from skiff.snapshot import sparse
from skiff.snapshot.sparse import BLOCK, SIZE_LIMIT

CHUNK = 1 << 18
# As Go's archive/tar has it for headers that describe another.
EXTENDED_LIMIT = 1 << 20
NUMBER_LIMIT = 64
XATTR_PREFIX = b"SCHILY.xattr."
_LONG_NAME, _LONG_LINK, _PAX, _PAX_SOLARIS, _PAX_GLOBAL = b"L", b"K", b"x", b"X", b"g"
_EXTENDED = (_LONG_NAME, _LONG_LINK, _PAX, _PAX_SOLARIS, _PAX_GLOBAL)
_HAS_DATA = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE)
_EARLIEST, _LATEST = Decimal(-(1 << 62)), Decimal((1 << 63) - 1)
_SPARSE_PAIR = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")


class Source(Protocol):
    """Something to read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass
class Entry:
    """One member; names hold undecodable bytes by surrogateescape. Of a file with holes less is `stored` than its size."""

    name: str
    kind: bytes
    link: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: tuple[int, int]
    xattrs: dict[str, bytes] = field(default_factory=dict)
    stored: int = 0

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.kind == tarfile.SYMTYPE


class TarStream:
    """Entries in order; the data of the entry at hand is read by `data()` and skipped otherwise."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.offset = 0
        self._left = 0
        self._padding = 0
        self._segments: list[sparse.Segment] = []

    def __iter__(self) -> Iterator[Entry]:
        extended: dict[bytes, bytes] = {}
        while True:
            self._skip()
            header = self._read(BLOCK)
            # Docker and GNU tar end with two zero blocks; some writers simply end.
            if not header or header == bytes(BLOCK):
                return
            info = _header(header)
            if info.type in _EXTENDED:
                extended.update(self._extended(info))
                continue
            entry = _entry(info, extended)
            self._prepare(entry, _sparse(info, header, extended, self._read))
            extended = {}
            yield entry

    def data(self) -> Iterator[tuple[int, bytes]]:
        """What the entry at hand holds, each part with its place in the file; the places between are holes."""
        for segment in self._segments:
            offset, end = segment.offset, segment.offset + segment.size
            while offset < end:
                chunk = self._chunk(end - offset)
                yield offset, chunk
                offset += len(chunk)

    def _prepare(self, entry: Entry, found: Optional[sparse.Sparse]) -> None:
        self._left = entry.size if entry.kind == tarfile.REGTYPE else 0
        self._padding = -self._left % BLOCK
        self._segments = [sparse.Segment(0, self._left)]
        if found:
            self._left -= found.map_size
            self._segments = found.segments
            entry.size = found.size
            if entry.kind != tarfile.REGTYPE or self._left != sum(segment.size for segment in found.segments):
                raise InvalidInput(f"invalid tar header: {entry.name!r} is sparse, and its map does not fit its data")
        entry.stored = self._left

    def _chunk(self, most: int) -> bytes:
        chunk = self._read(min(CHUNK, most))
        if not chunk:
            raise InvalidInput("unexpected EOF: the archive ends inside a file")
        self._left -= len(chunk)
        return chunk

    def _skip(self) -> None:
        while self._left:
            self._chunk(self._left)
        if self._padding:
            self._read(self._padding)
            self._padding = 0

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            chunk = self._source.read(size)
            if not chunk:
                break
            parts.append(chunk)
            size -= len(chunk)
            self.offset += len(chunk)
        return b"".join(parts)

    def _extended(self, info: tarfile.TarInfo) -> dict[bytes, bytes]:
        if not 0 <= info.size <= EXTENDED_LIMIT:
            raise InvalidInput(f"the archive has an extended header of {info.size} bytes; {EXTENDED_LIMIT} is the limit")
        padded = info.size + -info.size % BLOCK
        data = self._read(padded)
        if len(data) != padded:
            raise InvalidInput("unexpected EOF: the archive ends inside a header")
        data = data[: info.size]
        if info.type == _PAX_GLOBAL:
            return {}
        if info.type in (_LONG_NAME, _LONG_LINK):
            return {b"path" if info.type == _LONG_NAME else b"linkpath": data.rstrip(b"\0")}
        return _pax_records(data)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise InvalidInput(f"invalid tar header: {error}") from None


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        length, _, _ = data[position : position + 20].partition(b" ")
        end = position + int(length) if length.isdigit() else 0
        key, equals, value = data[position + len(length) + 1 : max(end - 1, 0)].partition(b"=")
        if not equals or end > len(data) or data[end - 1 : end] != b"\n":
            raise InvalidInput("invalid tar header: a pax record is malformed")
        if key in _SPARSE_PAIR:
            # Sparse form 0.0 repeats these; 0.1 has the same numbers in one list.
            key, value = b"GNU.sparse.map", b",".join(filter(None, (records.get(b"GNU.sparse.map"), value)))
        records[key] = value
        position = end
    return records


def _entry(info: tarfile.TarInfo, extended: dict[bytes, bytes]) -> Entry:
    name = _text(extended.get(b"GNU.sparse.name") or extended.get(b"path")) or info.name
    kind = tarfile.REGTYPE if info.type in _HAS_DATA else info.type
    # An old header tells a directory by its name alone.
    if kind == tarfile.REGTYPE and name.endswith("/"):
        kind = tarfile.DIRTYPE
    return Entry(
        name=name,
        kind=kind,
        link=_text(extended.get(b"linkpath")) or info.linkname,
        mode=info.mode & 0o7777,
        uid=_number(extended, b"uid", int(info.uid), 0xFFFFFFFE),
        gid=_number(extended, b"gid", int(info.gid), 0xFFFFFFFE),
        size=_number(extended, b"size", info.size, SIZE_LIMIT),
        mtime_ns=_time(extended, info.mtime),
        device=(info.devmajor, info.devminor),
        xattrs={_text(key[len(XATTR_PREFIX) :]): value for key, value in extended.items() if key.startswith(XATTR_PREFIX)},
    )


def _sparse(
    info: tarfile.TarInfo, header: bytes, extended: dict[bytes, bytes], read: Callable[[int], bytes]
) -> Optional[sparse.Sparse]:
    return sparse.old(header, read) if info.type == tarfile.GNUTYPE_SPARSE else sparse.pax(extended, read)


def _text(value: Optional[bytes]) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")


def _number(extended: dict[bytes, bytes], key: bytes, default: int, limit: int) -> int:
    text = extended.get(key)
    number = default if text is None else int(text) if text.isdigit() and len(text) <= NUMBER_LIMIT else -1
    if not 0 <= number <= limit:
        raise InvalidInput(f"invalid tar header: {key.decode()} is out of range")
    return number


def _time(extended: dict[bytes, bytes], default: float) -> int:
    text = _text(extended.get(b"mtime")) or str(int(default))
    try:
        if len(text) > NUMBER_LIMIT:
            raise ValueError
        return int(min(max(Decimal(text) * 1_000_000_000, _EARLIEST), _LATEST))
    except (ArithmeticError, ValueError):
        raise InvalidInput("invalid tar header: mtime is no time") from None
