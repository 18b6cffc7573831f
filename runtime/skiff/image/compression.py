"""Decompression while reading: gzip or none, told by the first bytes as Docker does, whatever a media type says."""

from __future__ import annotations

import gzip
import zlib
from typing import cast

from skiff.errors import InvalidInput, Unsupported
from skiff.snapshot.tarstream import Source

GZIP = b"\x1f\x8b"
_UNSUPPORTED = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
_HEAD = 6


def decompressed(source: Source) -> Source:
    """The same stream without its compression."""
    head = b""
    while len(head) < _HEAD and (chunk := source.read(_HEAD - len(head))):
        head += chunk
    for magic, name in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise Unsupported(f"compression with {name} is not supported; use tar or tar.gz")
    whole = _Prefixed(head, source)
    return _Gunzip(whole) if head.startswith(GZIP) else whole


class _Prefixed:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._source.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data


class _Gunzip:
    def __init__(self, source: _Prefixed) -> None:
        # It only ever reads, but its type asks for a whole file.
        self._file = gzip.GzipFile(fileobj=cast("gzip._ReadableFileobj", source), mode="rb")

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidInput(f"the gzip stream is damaged: {error}") from error
