"""How a command on a host is reached: a transport opens one channel, whose three streams the exchange reads and writes."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol

OUT = "out"
ERR = "err"
END = "end"


class Received(NamedTuple):
    """Something that came from a channel: bytes of OUT or ERR, or END once both have ended."""

    stream: str
    data: bytes


class Channel(Protocol):
    """A running command's streams.

    `send` may be called by one thread while another receives. All raise UnreachableError when the connection is lost.
    """

    def send(self, data: bytes, patience: float) -> None:
        """Writes all of it to the command's stdin, and gives up once no byte was taken for `patience` seconds."""

    def close_input(self) -> None:
        """Ends the command's stdin."""

    def receive(self, timeout: float) -> Optional[Received]:
        """The next piece of output; None if there is none within `timeout` seconds."""

    def status(self) -> Optional[int]:
        """The command's exit status, once it is known."""

    def close(self) -> None:
        """Lets go of the channel; the command is told by its stdin's end."""


class Transport(Protocol):
    """A way to one host, and the user that it logs in as."""

    user: str

    def open(self, command: str) -> Channel:
        """Connects, logs in and starts a command, given to the login shell as it is.

        Raises:
            UnreachableError: with the cause and the cure.
        """

    def close(self) -> None:
        """Ends the connection; does nothing without one."""
