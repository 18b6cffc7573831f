"""Sparse members of tar archives: which parts of a file are stored, in GNU tar's old form and pax forms 0.0, 0.1 and 1.0."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Optional

from skiff.errors import InvalidInput

BLOCK = 512
SEGMENT_LIMIT = 1 << 16
SIZE_LIMIT = (1 << 63) - 1
_KEY = b"GNU.sparse."
_OLD_ENTRY, _OLD_FIRST, _OLD_MORE = 24, (386, 4, 482), (0, 21, 504)
_OLD_SIZE = slice(483, 495)

Read = Callable[[int], bytes]


class Segment(NamedTuple):
    """A part of a file that is stored; the rest are holes."""

    offset: int
    size: int


class Sparse(NamedTuple):
    """How a file is stored: its size with the holes, and what its map took of the member's data."""

    size: int
    segments: list[Segment]
    map_size: int = 0


def old(header: bytes, read: Read) -> Sparse:
    """From a header of type S; what does not fit it stands in blocks behind it."""
    size = _number(header[_OLD_SIZE])
    numbers: list[int] = []
    block, (start, count, more) = header, _OLD_FIRST
    while True:
        for position in range(start, start + count * _OLD_ENTRY, _OLD_ENTRY):
            if not block[position]:
                break
            numbers += (_number(block[position : position + 12]), _number(block[position + 12 : position + 24]))
        if not block[more]:
            return Sparse(size, _segments(numbers, size))
        _limit(len(numbers))
        block, (start, count, more) = _block(read), _OLD_MORE


def pax(extended: Mapping[bytes, bytes], read: Read) -> Optional[Sparse]:
    """From a pax header; none if the member is not sparse."""
    if not any(key.startswith(_KEY) for key in extended):
        return None
    version = extended.get(b"GNU.sparse.major", b"0"), extended.get(b"GNU.sparse.minor", b"0")
    if version == (b"1", b"0"):
        size = _decimal(extended.get(b"GNU.sparse.realsize", b""))
        return _in_data(size, read)
    size = _decimal(extended.get(b"GNU.sparse.size", b""))
    text = extended.get(b"GNU.sparse.map", b"")
    if version[0] != b"0" or text.count(b",") >= 2 * SEGMENT_LIMIT:
        raise _malformed()
    return Sparse(size, _segments([_decimal(word) for word in text.split(b",")] if text else [], size))


def _in_data(size: int, read: Read) -> Sparse:
    """Form 1.0: the map stands before the data, a number a line, in blocks of its own."""
    text, taken = b"", 0
    wanted = 1
    while True:
        *lines, _ = text.split(b"\n")
        if lines:
            wanted = 1 + 2 * _decimal(lines[0])
            _limit(wanted)
        if len(lines) >= wanted:
            return Sparse(size, _segments([_decimal(line) for line in lines[1:wanted]], size), taken)
        # Splitting anew after each block would be slow with many: as much as the numbers left can take at least.
        count = max(1, 2 * (wanted - len(lines)) // BLOCK)
        for _ in range(count):
            text += _block(read)
        taken += count * BLOCK


def _segments(numbers: Sequence[int], size: int) -> list[Segment]:
    """Pairs in order, none over another, none beyond the end."""
    if len(numbers) % 2 or not 0 <= size <= SIZE_LIMIT:
        raise _malformed()
    _limit(len(numbers))
    found, end = [], 0
    for offset, length in zip(numbers[::2], numbers[1::2]):
        if offset < end or length < 0 or offset + length > size:
            raise _malformed()
        end = offset + length
        found.append(Segment(offset, length))
    return found


def _limit(count: int) -> None:
    if count > 2 * SEGMENT_LIMIT + 1:
        raise InvalidInput(f"invalid tar header: a sparse file of more than {SEGMENT_LIMIT} parts")


def _block(read: Read) -> bytes:
    block = read(BLOCK)
    if len(block) != BLOCK:
        raise InvalidInput("unexpected EOF: the archive ends inside a header")
    return block


def _number(field: bytes) -> int:
    """Octal digits, or binary behind a byte of 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise _malformed() from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise _malformed()
    return int(text)


def _malformed() -> InvalidInput:
    return InvalidInput("invalid tar header: the map of a sparse file is malformed")
