"""An image archive as it travels: read by Docker's engines and Skiff's alike, and packed where that spares bytes on every way.

An OCI layout gets the manifest.json in front that older engines look for. What is packed lies in one file without a name, however
many hosts it goes to.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO, Iterator

from fleet.content import Content
from fleet.errors import UsageError
from fleet.images import archive
from fleet.images.archive import CHUNK, GZIP, Found

LEVEL = 1  # much the fastest, and within a tenth of what the others spare
SAMPLES = 8
WORTHWHILE = 0.8  # of the size; layers that are packed already stay as they are


class Unnamed:
    """A file without a name, opened as often as it is wanted."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def open(self, mode: str) -> IO[bytes]:  # noqa: ARG002 # as a path's
        """A stream of its bytes, from their beginning."""
        return io.BufferedReader(Reader(self._file.fileno()), CHUNK)


class Reader(io.RawIOBase):
    """Reads a file by a position of its own: many read one descriptor at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # of what BufferedReader gives
        """The next bytes."""
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count


@contextlib.contextmanager
def packed(path: Path, found: Found) -> Iterator[Content]:
    """The archive's content as it is sent, held until the end of the context.

    Raises:
        UsageError: there is no room to pack it.
    """
    mark = archive.magic(path)
    if found.manifest and (mark == GZIP or (not mark and not worthwhile(path))):
        yield Content.from_file(path)
        return
    try:
        with tempfile.TemporaryFile() as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0, filename="") as packing:
                if not found.manifest:
                    packing.write(manifest(found))
                with archive.unpacked(path) as plain:
                    for chunk in iter(lambda: plain.read(CHUNK), b""):
                        packing.write(chunk)
            file.flush()
            yield Content.from_file(Unnamed(file))
    except OSError as error:
        brief = f"{path}: cannot be packed in {tempfile.gettempdir()}: {error.strerror}"
        raise UsageError(brief, resolution="set TMPDIR to a place with room") from error


def worthwhile(path: Path) -> bool:
    """Whether packing spares a fifth of a file, by samples from all over it."""
    size, taken, left = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        for number in range(SAMPLES):
            stream.seek(size * number // SAMPLES)
            sample = stream.read(CHUNK)
            taken += len(sample)
            left += len(zlib.compress(sample, LEVEL))
    return left < taken * WORTHWHILE


def manifest(found: Found) -> bytes:
    """A tar's first member: the manifest.json of an OCI layout, with the same files under other keys."""
    rows = [{"Config": one.config, "RepoTags": list(one.names) or None, "Layers": list(one.layers)} for one in found.images]
    text = json.dumps(rows).encode()
    entry = tarfile.TarInfo("manifest.json")
    entry.size, entry.mode = len(text), 0o644
    return entry.tobuf(tarfile.USTAR_FORMAT) + text + bytes(-len(text) % tarfile.BLOCKSIZE)
