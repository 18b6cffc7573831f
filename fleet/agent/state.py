"""The agent's own directory, /var/lib/skiff-agent: root's, 0700.

    <sha256>            this program, as the stub finds it
    last-run.json       what the last run did
    answers.json        what programs answered, and of which files (see memory)
    pending.json        restarts and handlers that a broken run still owes
    versions.json       which versions of the runtime were current before
    transaction.log     what the package manager last said
    ledger.jsonl        what every run changed, and what was there before
    ledger.key          by which the ledger tells contents again
    images.json         what an engine with identities of its own calls the images that it was given
    archives/           digests of the files of each unpacked archive
    backup/<run>/PATH   what a run replaced or removed
    pull/               in pull mode, what the program that pulls keeps (fleet/puller/kept.py)
    probes/             what verifications run, by sha256
    spool/              large contents of the run in hand

All of it is guarded by the lock on /run/skiff-agent.lock, but <sha256>, which is only ever renamed into place.
"""

import os
import stat

from fleet.agent import atomic, notation
from fleet.agent.errors import AgentError, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class State:
    """Names and keeps what is in the directory. `agent` is the digest of the program that does so."""

    def __init__(self, home: str, agent: str = "") -> None:
        self.home = home
        self.agent = agent

    def path(self, *parts: str) -> str:
        """A name below the directory."""
        return os.path.join(self.home, *parts)

    def folders(self) -> "List[str]":
        """The directories in which files are renamed into place."""
        return [self.home, self.path("archives")]

    def prepare(self, *parts: str) -> str:
        """Make the directory, and one below it, as it must be.

        Raises:
            AgentError: it is somebody else's or cannot be made.
        """
        try:
            for depth in range(len(parts) + 1):
                folder = self.path(*parts[:depth])
                if not os.path.isdir(folder):
                    os.mkdir(folder, 0o700)
        except OSError as error:
            raise from_os(error, self.path(*parts)) from error
        if not self.trusted():
            found = os.lstat(self.home)
            raise AgentError(
                "{} can be changed by others".format(self.home),
                "mode {:04o}, owner {}".format(stat.S_IMODE(found.st_mode), found.st_uid),
                "look at what is in it, then remove it: the next run makes it anew, root's and 0700",
            )
        return self.path(*parts)

    def trusted(self) -> bool:
        """Whether the directory is there, and nobody else can change it."""
        try:
            found = os.lstat(self.home)
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the directory, in one step."""
        self.prepare()
        atomic.write(self.path(name), [data], 0o600)

    def write_json(self, name: str, value: "Dict[str, Any]") -> None:
        """Write one JSON file of the directory, in one step; a line for each key."""
        lines = [notation.kept(key) + b": " + notation.kept(value[key]) for key in sorted(value)]
        self.write(name, b"{" + b",\n ".join(lines) + b"}")

    def read_json(self, name: str) -> "Any":
        """One JSON file's value, or None where it is missing or no JSON."""
        try:
            with open(self.path(name), "rb") as stream:
                return notation.loads(stream.read().decode("utf-8"))
        except (OSError, ValueError):
            return None
