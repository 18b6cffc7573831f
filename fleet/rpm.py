"""RPM packages on the control machine: what each is, read from its own header, and whether its bytes are whole.

An RPM is a lead of 96 bytes, a header of signatures padded to 8 bytes, the header proper, and the payload (rpm's
docs/manual/format_v4.md). A header is a table of tags over a store of their values.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, Optional, Tuple, Union

from fleet.content import CHUNK, Content
from fleet.errors import UsageError

LEAD = 96
LEAD_MAGIC = b"\xed\xab\xee\xdb"
HEADER_MAGIC = b"\x8e\xad\xe8\x01"
LARGEST_HEADER = 64 << 20
NAME, VERSION, RELEASE, ARCH, SOURCE_RPM, PAYLOAD_SHA256 = 1000, 1001, 1002, 1022, 1044, 5092
SIGNATURE_MD5 = 1004  # of the header proper and the payload: all that RPMs of release 7 have
STRING, BINARY, STRINGS = 6, 7, 8

Tags = Dict[int, Union[str, bytes]]


@dataclass(frozen=True)
class Rpm:
    """A package file: `arch` is noarch or what `uname -m` says where it belongs."""

    name: str
    version: str
    release: str
    arch: str
    content: Content


def read_directory(directory: Path) -> Tuple[Rpm, ...]:
    """The packages in a directory, by file name; source packages are passed over.

    Raises:
        UsageError: it cannot be read, holds none, or one of them is damaged.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".rpm")
        found = [read(path) for path in paths]
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: cannot be read: {error.strerror}") from error
    packages = tuple(rpm for rpm in found if rpm is not None)
    if not packages:
        raise UsageError(f"{directory}: holds no RPM.", resolution="Put the packages there, their dependencies too.")
    return packages


def read(path: Path) -> Optional[Rpm]:
    """The package in a file; None for a source package.

    Raises:
        UsageError: it is none, or its bytes are not those that it was made of.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        try:
            tags, content = _checked(stream, path)
            name, version, release, arch = (str(tags[tag]) for tag in (NAME, VERSION, RELEASE, ARCH))
        except (KeyError, ValueError, struct.error) as error:
            raise UsageError(f"{path}: is no whole RPM: {error}", resolution="Fetch it again.") from error
    return Rpm(name, version, release, arch, content) if SOURCE_RPM in tags else None  # only what was built from one names it


def _checked(stream: BinaryIO, path: Path) -> Tuple[Tags, Content]:
    """The tags of the header proper and the file's content, once the payload was found to be the one that they tell of."""
    if _exactly(stream, LEAD)[:4] != LEAD_MAGIC:
        raise ValueError("it does not begin like one")
    size, signatures = _header(stream)
    _exactly(stream, -size % 8)
    begin = stream.tell()
    size, tags = _header(stream)
    stream.seek(0)
    head = _exactly(stream, begin + size)
    whole, newer, older = hashlib.sha256(head), hashlib.sha256(), hashlib.md5(head[begin:], usedforsecurity=False)
    wanted = tags.get(PAYLOAD_SHA256)
    for chunk in iter(lambda: stream.read(CHUNK), b""):
        whole.update(chunk)
        (newer if wanted else older).update(chunk)
    if newer.hexdigest() != wanted if wanted else older.digest() != signatures.get(SIGNATURE_MD5):
        raise ValueError("its payload is damaged or cut short")
    return tags, Content(whole.hexdigest(), stream.tell(), path)


def _header(stream: BinaryIO) -> Tuple[int, Tags]:
    """A header's size on disk and its tags."""
    magic, _, count, size = struct.unpack(">4s4sII", _exactly(stream, 16))
    if magic != HEADER_MAGIC or count * 16 + size > LARGEST_HEADER:
        raise ValueError("a header of it is damaged")
    table, store = _exactly(stream, count * 16), _exactly(stream, size)
    tags: Tags = {}
    for index in range(count):
        tag, form, offset, length = struct.unpack_from(">IIII", table, index * 16)
        if form in (STRING, STRINGS):
            tags[tag] = store[offset : store.index(b"\0", offset)].decode()
        elif form == BINARY:
            tags[tag] = store[offset : offset + length]
    return 16 + count * 16 + size, tags


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("it is cut short")
    return data
