"""A program's streams: pipes that are served while it runs, or a file that it appends to; endless output is cut in its middle."""

import fcntl
import os
import select

from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Dict, Iterable, Tuple

LARGEST = 4 << 20  # bytes: more than any program has to say, and less than a host can spare
HEAD = 64 << 10
TAIL = 1 << 20
CHUNK = 1 << 20  # bytes: all that a pipe holds


class Piped:
    """A program's three streams as pipes, which `serve` fills and empties; without anything `given` it reads nothing.

    Pipes are what a program inherits under every policy of SELinux. One that runs in a domain of its own, as restorecon, modprobe,
    useradd and chpasswd do, is denied a file of ours and handed /dev/null in its place: what it said would be lost, what it should
    have read too, and nobody would be told.
    """

    def __init__(self, given: "Iterable[bytes]" = ()) -> None:
        self._kept = [bytearray(), bytearray()]
        self._left = [0, 0]
        self._reading: "Dict[int, int]" = {}
        self._given = iter(given)
        self._due = self._next()  # what has yet to be fetched is, before anything runs
        self._feeding = -1
        self._poll = select.poll()
        source = self._feed() if given else os.open(os.devnull, os.O_RDONLY)
        self._theirs = [source, self._drain(0), self._drain(1)]

    def streams(self) -> "Tuple[int, int, int]":
        """The program's standard input, output and error."""
        source, out, err = self._theirs
        return source, out, err

    def _feed(self) -> int:
        theirs, self._feeding = os.pipe()
        os.set_blocking(self._feeding, False)
        self._poll.register(self._feeding, select.POLLOUT)
        return theirs

    def _drain(self, number: int) -> int:
        reading, theirs = os.pipe()
        os.set_blocking(reading, False)
        self._reading[reading] = number
        self._poll.register(reading, select.POLLIN)
        return theirs

    def begun(self) -> None:
        """The program has its ends: ours of them are closed, so that its own are the last."""
        while self._theirs:
            os.close(self._theirs.pop())

    def serve(self, seconds: float) -> bool:
        """Carry what is ready to be carried, waiting up to `seconds` for some; whether more may come."""
        if not self._reading and self._feeding < 0:
            return False
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._feeding:
                self._give()
            else:
                self._take(descriptor)
        return True

    def _next(self) -> bytes:
        """The next of what is given, nothing at its end.

        Raises:
            AgentError: it cannot be had.
        """
        try:
            return next((chunk for chunk in self._given if chunk), b"")
        except OSError as error:
            raise AgentError("what a program was to read cannot be had", str(error)) from error

    def _give(self) -> None:
        self._due = self._due or self._next()
        try:
            if self._due:
                self._due = self._due[os.write(self._feeding, self._due) :]
                return
        except BlockingIOError:
            return  # less room than poll counts as some
        except BrokenPipeError:
            pass  # it wants no more
        self._poll.unregister(self._feeding)
        os.close(self._feeding)
        self._feeding = -1

    def _take(self, reading: int) -> None:
        data = os.read(reading, CHUNK)
        number = self._reading[reading]
        if not data:
            self._poll.unregister(reading)
            os.close(reading)
            del self._reading[reading]
            return
        kept = self._kept[number]
        kept += data
        if len(kept) > LARGEST:
            self._left[number] += len(kept) - HEAD - TAIL
            del kept[HEAD:-TAIL]

    def said(self, number: int) -> str:
        """What it has written so far to its standard output, 0, or error, 1."""
        kept = bytes(self._kept[number])
        if self._left[number]:
            kept = kept[:HEAD] + _omission(self._left[number]) + kept[HEAD:]
        return kept.decode("utf-8", "replace")

    def close(self) -> None:
        """Carry no more: what it leaves running is told so when it writes."""
        self.begun()
        for descriptor in [*self._reading, *([self._feeding] if self._feeding >= 0 else [])]:
            os.close(descriptor)
        self._reading, self._feeding = {}, -1


class Bounded:
    """A file that a program appends to, which `cut` keeps small while and after it runs.

    It is the program's own standard output, not a pipe that would have to be emptied: a transaction whose agent was killed does
    not die of it, and what it leaves running goes on writing.
    """

    def __init__(self, stream: "IO[bytes]") -> None:
        self._descriptor = stream.fileno()  # appending, so that a program that writes on after a cut writes at the new end
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, fcntl.fcntl(self._descriptor, fcntl.F_GETFL) | os.O_APPEND)

    def cut(self) -> None:
        """Shorten what has grown too large."""
        try:
            size = os.fstat(self._descriptor).st_size
            if size <= LARGEST:
                return
            head = os.pread(self._descriptor, HEAD, 0)
            tail = os.pread(self._descriptor, TAIL, size - TAIL)
            os.ftruncate(self._descriptor, 0)
            for part in (head, _omission(size - len(head) - len(tail)), tail):
                os.write(self._descriptor, part)
        except OSError:
            return  # a full disk: it is as it is


def _omission(size: int) -> bytes:
    return "\n... {} bytes were left out\n".format(size).encode("ascii")
