"""A ProxyCommand: a program whose standard input and output stand for the connection, as one socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile

KEPT = 500


class Proxy:
    """A running ProxyCommand. `link` is our end; it ends when the program does."""

    def __init__(self, command: str) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the program
        self.link, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C at the terminal is for the control side.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """The last of what it said on standard error."""
        end = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, end - KEPT))
        return self._said.read().decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Ends it."""
        self.link.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._said.close()
