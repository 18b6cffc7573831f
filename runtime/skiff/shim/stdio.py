"""The container's standard streams: pipes to its shim, or nothing."""

from __future__ import annotations

import os

from skiff.errors import suppress
from skiff.shim.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from skiff.shim.loop import Loop

CHUNK = 65536
HIGH_WATER = 1 << 20
DRAIN_CHUNKS = 32  # more than a pipe holds, so that a writer who goes on is not waited for


class Stdio:
    """Pipes with a container's end and ours; `theirs` is closed once init has been forked."""

    def __init__(self) -> None:
        inner, self.stdin = os.pipe()
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        for fd in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(fd, False)  # a container can read its own output back and leave us none
        self.theirs = (inner, out, err)

    def without_stdin(self) -> None:
        """The container reads /dev/null, and nobody can write."""
        os.close(self.stdin)
        self.stdin = -1
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, self.theirs[0], inheritable=False)
        os.close(null)

    def close_theirs(self) -> None:
        """So that the end of file comes when the container's last process has gone."""
        for fd in self.theirs:
            os.close(fd)


class Output:
    """Reads one stream of the container and hands on what it says, until its end."""

    def __init__(self, loop: Loop, number: int, fd: int, data: Callable[[int, bytes], None], end: Callable[[int], None]) -> None:
        self._loop, self._number, self._fd, self._data, self._end = loop, number, fd, data, end
        self.open = True
        self.resume()

    def resume(self) -> None:
        """Read on."""
        if self.open:
            self._loop.watch(self._fd, READ, self._ready)

    def pause(self) -> None:
        """Let the container wait: someone takes its output too slowly."""
        self._loop.forget(self._fd)

    def _ready(self, _events: int) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        if data:
            self._data(self._number, data)
        else:
            self.close()

    def drain(self) -> None:
        """Take what is in the pipe and end, whoever else may still hold it."""
        with suppress(BlockingIOError):
            for _ in range(DRAIN_CHUNKS):
                data = os.read(self._fd, CHUNK)
                if not data:
                    break
                self._data(self._number, data)
        self.close()

    def close(self) -> None:
        """The stream has ended."""
        self._loop.forget(self._fd)
        os.close(self._fd)
        self.open = False
        self._end(self._number)


class Input:
    """What clients send to the container's standard input."""

    def __init__(self, loop: Loop, fd: int, relieved: Callable[[], None]) -> None:
        self._loop, self._fd, self._relieved = loop, fd, relieved
        self._buffer = bytearray()
        self._ending = False

    @property
    def congested(self) -> bool:
        """Whether the container takes it too slowly."""
        return len(self._buffer) > HIGH_WATER

    def write(self, data: bytes) -> None:
        """Pass on; nothing happens once it is closed."""
        if self._fd >= 0 and not self._ending:
            self._buffer += data
            self._flush(0)

    def end(self) -> None:
        """Close after what is buffered."""
        self._ending = True
        if self._fd >= 0 and not self._buffer:
            self.close()

    def _flush(self, _events: int) -> None:
        was_congested = self.congested
        try:
            del self._buffer[: os.write(self._fd, self._buffer)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        if self._fd < 0:
            return
        if self._buffer:
            self._loop.watch(self._fd, WRITE, self._flush)
        else:
            self._loop.forget(self._fd)
            if self._ending:
                self.close()
        if was_congested and not self.congested:
            self._relieved()

    def close(self) -> None:
        """The container reads an end of file."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._buffer.clear()
        self._relieved()
