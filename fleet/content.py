"""Bytes that a resource puts on a host, known by their digest and held once, however many hosts want them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Dict, Iterator, Protocol, Union

from fleet.secret import Secret

CHUNK = 1 << 16  # what each of many hosts has in hand of a content at a time


class Stored(Protocol):
    """Bytes that are opened as a path's are."""

    def open(self, mode: str) -> IO[bytes]:
        """A stream of them, from their beginning."""


@dataclass(frozen=True)
class Content:
    """Some bytes, in memory or in a file, or part of one, that must not change during a run.

    `sha256` is lower-case hex, `size` counts bytes; `secret` bytes are shown nowhere.
    """

    sha256: str
    size: int
    source: Union[bytes, Path, Stored] = field(repr=False, compare=False)
    secret: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, data: Union[bytes, Secret]) -> Content:
        """The content of bytes at hand, or of a secret's text."""
        if isinstance(data, Secret):
            return replace(cls.of(data.reveal().encode()), secret=True)
        return cls(hashlib.sha256(data).hexdigest(), len(data), data)

    @classmethod
    def from_file(cls, file: Union[Path, Stored]) -> Content:
        """The content of a file, or of what is opened as one, read once for its digest.

        Raises:
            OSError: the file cannot be read.
        """
        digest, size = hashlib.sha256(), 0
        with file.open("rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                digest.update(chunk)
                size += len(chunk)
        return cls(digest.hexdigest(), size, file)

    def __getstate__(self) -> Dict[str, object]:
        # In another process, the file may be another or none.
        return {**vars(self), "source": b"".join(self.chunks())}

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces of at most 64 KiB."""
        if isinstance(self.source, bytes):
            for start in range(0, len(self.source), CHUNK):
                yield self.source[start : start + CHUNK]
            return
        with self.source.open("rb") as stream:
            yield from iter(lambda: stream.read(CHUNK), b"")
