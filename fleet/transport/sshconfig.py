"""OpenSSH's client configuration, the user's before the system's, as the way to a host is looked up in it.

docs/guides/inventory.md says which of its words are followed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import paramiko

from fleet.errors import UnreachableError
from fleet.transport.sshfiles import FILES, lines


class Config:
    """The lines of both files as one: the first value found for a host counts."""

    def __init__(self, text: Sequence[str]) -> None:
        self._text = text
        self._parsed = parsed(text)
        self._over: Dict[Tuple[str, ...], Config] = {}

    def over(self, options: Tuple[str, ...]) -> Config:
        """The configuration with lines for every host before its own; made once, whatever the number of hosts.

        Raises:
            UnreachableError: paramiko does not understand them.
        """
        if not options:
            return self
        if options not in self._over:
            try:
                self._over[options] = Config(["Host *", *options, *self._text])
            except (paramiko.SSHException, ValueError) as error:
                raise UnreachableError(
                    "the host's arguments for ssh are not understood", str(error), "see ssh_config(5)"
                ) from error
        return self._over[options]

    def lookup(self, address: str, user: Optional[str] = None, port: Optional[int] = None) -> paramiko.SSHConfigDict:
        """What is configured for an address; the user and port that are given come first, in %r and %p too."""
        found = self._parsed.lookup(address)
        given = [f"{key} {value}" for key, value in (("User", user), ("Port", port)) if value]
        if found.get("proxycommand") and given:
            found = parsed(["Host *", *given, *self._text]).lookup(address)
        return found


def parsed(text: Sequence[str]) -> paramiko.SSHConfig:
    """Paramiko's form of it."""
    config = paramiko.SSHConfig()
    config.parse(text)
    return config


def read(files: Sequence[Path] = FILES) -> Config:
    """The user's configuration before the system's.

    Raises:
        UnreachableError: a file cannot be read, or paramiko does not understand it.
    """
    text: List[str] = []
    for file in files:
        path = file.expanduser()
        if path.exists():
            try:
                # Each file begins outside of the sections of the one before.
                text += ["Host *", *lines(path)]
                parsed(text)
            except OSError as error:
                raise UnreachableError(f"{error.filename or path} cannot be read: {error.strerror}") from error
            except (paramiko.SSHException, ValueError) as error:
                raise UnreachableError(f"{path} is not understood", str(error), "see ssh_config(5)") from error
    return Config(text)
