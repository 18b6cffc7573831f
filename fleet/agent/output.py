"""A program's output in a file that stays small: of an endless one its beginning and its end are kept."""

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, List

LARGEST = 4 << 20  # bytes: more than any program has to say, and less than a host's /run can spare
HEAD = 64 << 10
TAIL = 1 << 20


class Bounded:
    """Files that a program appends to, which `cut` keeps small while and after it runs.

    The files are the program's own standard output and error, not pipes that would have to be emptied: what it leaves running
    behind goes on writing, and holds nobody up.
    """

    def __init__(self, *streams: "IO[bytes]") -> None:
        self._streams = streams
        for stream in streams:  # so that a program that writes on after a cut writes at the new end
            descriptor = stream.fileno()
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)

    def cut(self) -> None:
        """Shorten what has grown too large."""
        for stream in self._streams:
            _cut(stream.fileno())


def _cut(descriptor: int) -> None:
    try:
        size = os.fstat(descriptor).st_size
        if size <= LARGEST:
            return
        head = os.pread(descriptor, HEAD, 0)
        tail = os.pread(descriptor, TAIL, size - TAIL)
        os.ftruncate(descriptor, 0)
        left = size - len(head) - len(tail)
        _append(descriptor, [head, "\n... {} bytes were left out\n".format(left).encode("ascii"), tail])
    except OSError:
        return  # a full disk: it is as it is


def _append(descriptor: int, parts: "List[bytes]") -> None:
    for part in parts:
        os.write(descriptor, part)
