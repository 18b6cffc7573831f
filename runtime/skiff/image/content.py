"""Blobs by digest: each whole, verified and on disk, or absent.

    content/                 0700
        sha256/<hex>         a blob; its name is its digest; written once, never changed
        ingest/<random>      one that is being written; litter once its writer has gone

A blob is written aside, fsynced and renamed, so no lock is needed: two writers of one digest write the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tempfile
from dataclasses import dataclass
from typing import BinaryIO, Optional

from skiff.errors import InvalidInput, NotFound
from skiff.snapshot.tarstream import Source

CHUNK = 1 << 20
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")


def check_digest(digest: object) -> str:
    """A digest that is safe to make a file name of."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise InvalidInput(f"{str(digest)[:80]!r} is no sha256 digest")
    return digest


@dataclass(frozen=True)
class Blob:
    """A blob in the store."""

    digest: str
    size: int


class ContentStore:
    """The directory content/ of a data root."""

    def __init__(self, data_root: str) -> None:
        self._blobs = os.path.join(data_root, "content", "sha256")
        self._ingest = os.path.join(data_root, "content", "ingest")
        os.makedirs(os.path.dirname(self._blobs), mode=0o700, exist_ok=True)
        for directory in (self._blobs, self._ingest):
            os.makedirs(directory, mode=0o700, exist_ok=True)

    def add(self, source: Source, digest: Optional[str] = None, size: Optional[int] = None) -> Blob:
        """Store what `source` holds to its end; it must have the digest and the size, where they are given."""
        descriptor, aside = tempfile.mkstemp(dir=self._ingest)
        try:
            with open(descriptor, "wb") as target:
                blob = _copy(source, target)
                _verify(blob, digest, size)
                target.flush()
                os.fsync(target.fileno())
            os.rename(aside, self.path(blob.digest))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)
            raise
        _sync_directory(self._blobs)
        return blob

    def add_bytes(self, data: bytes) -> Blob:
        """Store bytes at hand."""
        return self.add(io.BytesIO(data))

    def path(self, digest: str) -> str:
        """Where a blob lies or would lie."""
        return os.path.join(self._blobs, check_digest(digest).partition(":")[2])

    def has(self, digest: str) -> bool:
        """Whether a blob is stored."""
        return os.path.exists(self.path(digest))

    def open(self, digest: str) -> BinaryIO:
        """A blob for reading."""
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError:
            raise NotFound(f"content {digest} is not stored") from None

    def read(self, digest: str) -> bytes:
        """A small blob, such as an image's configuration."""
        with self.open(digest) as file:
            return file.read()

    def remove(self, digest: str) -> None:
        """Forget a blob, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(digest))

    def digests(self) -> list[str]:
        """All that is stored."""
        return [f"sha256:{name}" for name in os.listdir(self._blobs)]

    def recover(self) -> list[str]:
        """Remove what writers that were killed have left, while nobody writes; words about what could not be removed."""
        left = []
        for name in os.listdir(self._ingest):
            path = os.path.join(self._ingest, name)
            try:
                os.unlink(path)
            except OSError as error:
                left.append(f"cannot remove {path}: {error.strerror}")
        return left


def _copy(source: Source, target: BinaryIO) -> Blob:
    sha256, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        sha256.update(chunk)
        size += len(chunk)
        target.write(chunk)
    return Blob(f"sha256:{sha256.hexdigest()}", size)


def _verify(blob: Blob, digest: Optional[str], size: Optional[int]) -> None:
    if size is not None and blob.size != size:
        raise InvalidInput(f"content {digest or blob.digest} has {blob.size} bytes where {size} were declared")
    if digest is not None and blob.digest != digest:
        raise InvalidInput(f"content {digest} is damaged: its bytes have the digest {blob.digest}")


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
