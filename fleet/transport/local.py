"""The transport to this machine itself: the command is a child process."""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import subprocess
from typing import Dict, Optional

from fleet.errors import UnreachableError
from fleet.transport import END, ERR, OUT, Received

SIZE = 1 << 16
LINGER = 1.0


class LocalChannel:
    """A child process's streams."""

    def __init__(self, command: str) -> None:
        # A session of its own: Ctrl-C at the terminal is for the control side, which tells the agent.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._streams: Dict[int, str] = {self._process.stdout.fileno(): OUT, self._process.stderr.fileno(): ERR}
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._room = select.poll()
        self._room.register(self._process.stdin.fileno(), select.POLLOUT)
        self._poll = select.poll()
        for descriptor in self._streams:
            self._poll.register(descriptor, select.POLLIN)

    def send(self, data: bytes, patience: float) -> None:
        assert self._process.stdin is not None
        rest = memoryview(data)
        try:
            while rest:
                if not self._room.poll(patience * 1000):
                    raise TimeoutError(f"it took nothing for {patience:g} s")
                rest = rest[os.write(self._process.stdin.fileno(), rest) :]
        except (OSError, ValueError) as error:
            raise UnreachableError("the agent on this machine ended or hangs", str(error)) from error

    def close_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def receive(self, timeout: float) -> Optional[Received]:
        while self._streams:
            ready = self._poll.poll(timeout * 1000)
            if not ready:
                return None
            descriptor = ready[0][0]
            data = os.read(descriptor, SIZE)
            if data:
                return Received(self._streams[descriptor], data)
            self._poll.unregister(descriptor)
            del self._streams[descriptor]
        return Received(END, b"")

    def status(self) -> Optional[int]:
        return self._process.poll()

    def close(self) -> None:
        """Ends stdin, which tells the agent; one that has something in hand finishes it without being waited for."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LINGER)


class LocalTransport:
    """This machine, as the user who runs the suite."""

    def __init__(self) -> None:
        self.user = getpass.getuser()
        self._channel: Optional[LocalChannel] = None

    def open(self, command: str) -> LocalChannel:
        self._channel = LocalChannel(command)
        return self._channel

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
