"""An image archive: a tar file that was spooled to disk, with its members found by name and read in place.

Says nothing of what the members mean (candidates.py). Links inside the archive, which older `docker save` wrote, are followed
by name only.
"""

from __future__ import annotations

import json
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple, Optional

from skiff.errors import InvalidInput
from skiff.image.compression import decompressed
from skiff.image.content import CHUNK
from skiff.snapshot import space
from skiff.snapshot.tarstream import TarStream

MEMBER_LIMIT = 100_000
DOCUMENT_LIMIT = 8 << 20
LINK_LIMIT = 8


class Member(NamedTuple):
    """Where a file lies in the archive, or what a link points to."""

    offset: int
    size: int
    link: Optional[str]


class Section:
    """One member for reading, from its beginning to its end."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self._descriptor = file.fileno()
        self._offset = member.offset
        self._left = member.size

    def read(self, size: int = -1, /) -> bytes:
        """As a file's read."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = os.pread(self._descriptor, wanted, self._offset) if wanted else b""
        self._offset += len(data)
        self._left -= len(data)
        return data


class Archive:
    """A spooled archive."""

    def __init__(self, source: BinaryIO, directory: str) -> None:
        # Without a name from the beginning: nothing is left of it whatever happens.
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by close()
        try:
            plain = decompressed(source)
            while chunk := plain.read(CHUNK):
                # How much a compressed archive holds is known only at its end.
                space.need(directory, len(chunk), "cannot take in the archive")
                self._file.write(chunk)
            # Members are read by pread, past the file's buffer.
            self._file.flush()
            self._members = _index(self._file)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the spooled bytes."""
        self._file.close()

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._member(name) is not None

    def size(self, names: Iterable[str]) -> int:
        """What these files hold together, linked ones once."""
        return sum(member.size for member in {self._member(name) for name in names} if member)

    def open(self, name: str) -> Section:
        """A file for reading."""
        member = self._member(name)
        if member is None:
            raise InvalidInput(f"the archive holds no file {name!r}")
        return Section(self._file, member)

    def read(self, name: str) -> bytes:
        """A small file."""
        member = self._member(name)
        if member is not None and member.size > DOCUMENT_LIMIT:
            raise InvalidInput(f"{name!r} in the archive has {member.size} bytes; {DOCUMENT_LIMIT} is the limit")
        return self.open(name).read()

    def document(self, name: str) -> Any:
        """A file that holds JSON."""
        return parse_document(self.read(name), name)

    def _member(self, name: str) -> Optional[Member]:
        for _ in range(LINK_LIMIT):
            name = posixpath.normpath(name)
            member = self._members.get(name)
            if member is None or member.link is None:
                return member
            name = member.link
        return None


def parse_document(data: bytes, name: str) -> Any:
    """JSON from an archive; `name` is for the error."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name!r} in the archive is not JSON: {error}") from None


def _index(file: BinaryIO) -> dict[str, Member]:
    file.seek(0)
    stream = TarStream(file)
    members: dict[str, Member] = {}
    for entry in stream:
        if len(members) >= MEMBER_LIMIT:
            raise InvalidInput(f"the archive holds more than {MEMBER_LIMIT} files; it is no image")
        name = posixpath.normpath(entry.name)
        if entry.stored != (entry.size if entry.kind == tarfile.REGTYPE else 0):
            raise InvalidInput(f"{entry.name!r} in the archive is stored with holes; write the archive without --sparse")
        if entry.kind == tarfile.REGTYPE:
            members[name] = Member(stream.offset, entry.size, None)
        elif entry.kind == tarfile.SYMTYPE:
            members[name] = Member(0, 0, posixpath.join(posixpath.dirname(name), entry.link))
        elif entry.kind == tarfile.LNKTYPE:
            members[name] = Member(0, 0, entry.link)
    return members
