"""The directory that is published: behind a web server, or in a git repository's working tree.

    hosts/<host>        a signed head, renamed into place when all that it names is there
    objects/<sha256>    documents, contents, the agent: each once for all hosts

Everything in it may be read by anybody. Who can write it can do no more than keep news from hosts: they take what is signed.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Set

from fleet.content import Content
from fleet.errors import FleetError
from fleet.pull.keys import write
from fleet.pull.state import Published

HOSTS, OBJECTS = "hosts", "objects"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# A host may be on its way through the objects of the head before.
SPARED = 86400.0


class Directory:
    """Such a directory, made where there is none. `written` counts the objects that were not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        try:
            for name in (HOSTS, OBJECTS):
                (path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FleetError(f"--out: {path} cannot be written: {error.strerror}") from error

    def put(self, host: str, published: Published) -> bool:
        """Have a host's part there, its head last; whether what it is to be is another than before.

        Raises:
            FleetError: it cannot be written; what was there before is still whole.
        """
        try:
            fresh = [self._object(content) for content in published.objects.values()]
            write(self.path / HOSTS / host, published.head, 0o644)
        except OSError as error:
            raise FleetError(
                f"--out: {self.path} cannot be written: {error.strerror}", "", "make room there and publish again"
            ) from error
        self.written += sum(fresh)
        return any(fresh)

    def sweep(self) -> int:
        """Remove the objects that no head names; how many.

        Raises:
            FleetError: they cannot be removed.
        """
        try:
            return self._sweep()
        except OSError as error:
            raise FleetError(f"--out: {error.filename} cannot be removed, or read: {error.strerror}") from error

    def _sweep(self) -> int:
        needed: Set[str] = set()
        for path in (self.path / HOSTS).iterdir():
            needed |= names(path.read_bytes())
        old = [path for path in (self.path / OBJECTS).iterdir() if path.name not in needed and age(path) > SPARED]
        for path in old:
            path.unlink()
        return len(old)

    def _object(self, content: Content) -> bool:
        path = self.path / OBJECTS / content.sha256
        if path.is_file() and not path.is_symlink() and Content.from_file(path) == content:
            return False
        write(path, b"".join(content.chunks()), 0o644)
        return True


def names(data: bytes) -> Set[str]:
    """The objects that a head names; none of what is no head."""
    try:
        told = json.loads(data.partition(b"\n")[2])
        return {told["document"]["sha256"], told["agent"]["sha256"], *told["objects"]}
    except (KeyError, TypeError, ValueError):
        return set()


def age(path: Path) -> float:
    """Seconds since a file was written; none of what is no file, which stays."""
    found = os.lstat(path)
    return time.time() - found.st_mtime if stat.S_ISREG(found.st_mode) else 0.0
