"""The rollout's journal: each step is written and synced before it is begun, so that its reader knows what may have been done.

    <state>/skiff/rollouts/            0700
        <rollout>.jsonl                0600; one line a step, `fleet.rollout.position` reads them

A process that works on a rollout holds an flock on its journal for as long as it lives. Half a last line, of a process that was
killed in the middle of it, counts for nothing: its step was not begun.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from fleet import state
from fleet.errors import FleetError, UsageError

SUFFIX = ".jsonl"
KEPT = 100


def directory() -> Path:
    """Where journals are kept."""
    return state.directory() / "rollouts"


def journals() -> List[Path]:
    """The journals, the newest first: a rollout's name begins with its time."""
    return sorted(directory().glob(f"*{SUFFIX}"), key=lambda path: path.name, reverse=True)


class Journal:
    """One rollout's journal, open and held."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.lines = list(_lines(descriptor))

    @property
    def name(self) -> str:
        """The rollout's name."""
        return self.path.stem

    def write(self, kind: str, **fields: Any) -> Dict[str, Any]:
        """Appends a line, and returns it once it is on the disk.

        Raises:
            FleetError: it cannot be written; the step must not begin.
        """
        line = {"kind": kind, "at": time.time(), **fields}
        data = json.dumps(line).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise FleetError(
                f"{self.path}: cannot be written: {error.strerror}",
                "no step is begun that is not written down",
                "free some room, then `--resume` goes on",
            ) from error
        self.lines.append(line)
        return line

    def close(self) -> None:
        """Lets others work on it."""
        os.close(self._descriptor)


def _lines(descriptor: int) -> Iterator[Dict[str, Any]]:
    """The whole lines; what a cut left of another one is taken away, for the next is written in its place."""
    with open(os.dup(descriptor), "rb") as stream:
        stream.seek(0)
        data = stream.read()
    whole = data.rpartition(b"\n")[0] + b"\n" if b"\n" in data else b""
    if len(whole) < len(data):
        os.ftruncate(descriptor, len(whole))
    for raw in whole.splitlines():
        line = json.loads(raw)
        if not isinstance(line, dict) or "kind" not in line:
            raise ValueError(f"{raw[:40]!r} is no line of a journal")
        yield line


def create(name: str) -> Journal:
    """A new rollout's.

    Raises:
        UsageError: it cannot be written.
    """
    path = directory() / (name + SUFFIX)
    try:
        state.prepare(path.parent)
        for old in journals()[KEPT:]:
            old.unlink()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written: {error.strerror}", resolution="set XDG_STATE_HOME to a directory of yours"
        ) from error
    return Journal(path, descriptor)


def resume(path: Path) -> Journal:
    """One that is there.

    Raises:
        UsageError: another process works on it, or it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Journal(path, descriptor)
    except OSError as error:
        os.close(descriptor)
        raise UsageError(f"the rollout {path.stem} goes on in another process", resolution="wait for its end, or end it") from error
    except ValueError as error:
        os.close(descriptor)
        raise UsageError(
            f"{path}: is damaged: {error}", resolution="begin a new rollout: hosts already there are left alone"
        ) from error


def find(name: str) -> Path:
    """The journal of this name, or of the beginning of it that only one has.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [path for path in journals() if path.stem == name] or [path for path in journals() if path.stem.startswith(name)]
    if not found:
        known = ", ".join(path.stem for path in journals()[:5])
        raise UsageError(
            f"--resume: there is no rollout {name!r} in {directory()}", resolution=f"the newest are: {known or 'none'}"
        )
    if len(found) > 1:
        names = ", ".join(path.stem for path in found[:5])
        raise UsageError(f"--resume: {len(found)} rollouts begin with {name!r}", names, "write more of it")
    return found[0]


@contextlib.contextmanager
def closing(journal: Journal) -> Iterator[Journal]:
    """The journal, closed at the end."""
    try:
        yield journal
    finally:
        journal.close()
