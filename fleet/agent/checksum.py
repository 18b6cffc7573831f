"""SHA-256: of a little by the interpreter's own code, of much by OpenSSL's, which is ten times as fast and takes long to load."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

MUCH = 96 << 10  # bytes, all told: from here on it pays to load OpenSSL

try:
    from _sha2 import sha256 as _little  # type: ignore[import-not-found] # Python 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256 as _little  # type: ignore[import-not-found] # before
    except ImportError:  # Red Hat builds without it from release 9 on
        _little = None


class _Told:
    """How much there was so far."""

    size = 0


def sha256(chunks: "Iterable[bytes]", size: int) -> str:
    """The digest in hex of all chunks, which are about `size` bytes together."""
    _Told.size += size
    found = _fresh()
    for chunk in chunks:
        found.update(chunk)
    return str(found.hexdigest())


def of(data: bytes) -> str:
    """The digest in hex of some bytes."""
    return sha256([data], len(data))


def _fresh() -> "Any":
    if _little is not None and _Told.size < MUCH:
        return _little()
    try:
        from _hashlib import openssl_sha256 as much  # alone: hashlib makes ready every digest there is
    except ImportError:
        from hashlib import sha256 as much
    return much()
