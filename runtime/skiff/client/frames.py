"""Docker's multiplexed stream: frames of an 8-byte header (stream, three zeros, big-endian length) and a payload."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = 8


def split(parts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Stream and payload of each frame, as parts of any size come in; a frame in pieces is passed on in pieces."""
    buffer, stream, missing = b"", 0, 0
    for part in parts:
        buffer += part
        while buffer:
            if missing:
                payload, buffer = buffer[:missing], buffer[missing:]
                missing -= len(payload)
                yield stream, payload
            elif len(buffer) < HEADER:
                break
            else:
                stream, missing = buffer[0], int.from_bytes(buffer[4:HEADER], "big")
                buffer = buffer[HEADER:]


def copy(parts: Iterable[bytes]) -> None:
    """Write each payload to the standard output or error of this process."""
    for stream, payload in split(parts):
        rest = payload
        while rest:
            rest = rest[os.write(2 if stream == 2 else 1, rest) :]
