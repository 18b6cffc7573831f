"""Objects on their way in: by digest, no larger than announced, within their time."""

import hashlib
import time

from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

CHUNK = 1 << 16
LONGEST = 900.0  # seconds for one object, however slowly its bytes come


def arriving(read: "Callable[[int], bytes]", limit: int, what: str) -> "Iterator[bytes]":
    """The bytes that `read` gives.

    Raises:
        AgentError: there are more than `limit`, or they take too long.
    """
    deadline, size = time.monotonic() + LONGEST, 0
    while True:
        chunk = read(CHUNK)
        if not chunk:
            return
        size += len(chunk)
        if size > limit:
            raise AgentError("{} is larger than {} bytes".format(what, limit), "", "look at the source, and publish again")
        if time.monotonic() > deadline:
            raise AgentError("{} did not arrive within {:g} s".format(what, LONGEST), "{} bytes came".format(size))
        yield chunk


def cut(data: bytes) -> "Iterator[bytes]":
    """Bytes that are here, as those that arrive come."""
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


def checked(chunks: "Iterator[bytes]", digest: str, size: int) -> "Iterator[bytes]":
    """The same bytes, which are those of a digest once the last one has come.

    Raises:
        AgentError: they are not.
    """
    found, came = hashlib.sha256(), 0
    for chunk in chunks:
        found.update(chunk)
        came += len(chunk)
        yield chunk
    if found.hexdigest() != digest:
        short = "only {} of {} bytes came".format(came, size) if came < size else ""
        raise AgentError("object {} is damaged, or somebody changed it".format(digest), short, "publish again")
