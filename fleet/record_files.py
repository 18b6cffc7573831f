"""The run records' directory: where it is, which runs it holds, which of them still go on, and how much is kept.

    <state>/skiff/runs/            0700
        <run>.jsonl                0600; the first line names the run and its hosts, the last one sums it up
        last.json                  the summary of the run that ended last

<state> is XDG_STATE_HOME, or ~/.local/state. A run holds an flock on its file for as long as it lives, so that a file whose last
line is missing is a killed run's if the lock is free, whichever machine looks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import List, Optional

from fleet import state

SUFFIX = ".jsonl"
MOST_RUNS = 200
MOST_BYTES = 512 * 1024 * 1024


def runs_directory() -> Path:
    """Where run records are kept."""
    return state.directory() / "runs"


def runs(directory: Optional[Path] = None) -> List[Path]:
    """The records, the newest first: a run's name begins with its time."""
    place = directory or runs_directory()
    try:
        found = [Path(entry.path) for entry in os.scandir(place) if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: path.name, reverse=True)


def hold(descriptor: int) -> None:
    """Marks a record as one of a living run, until the descriptor is closed."""
    # A file system without locks: the run then looks killed while it goes on, and is kept all the same.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def held(descriptor: int) -> bool:
    """Whether the run of a record that has no last line still goes on."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def prune(directory: Path, most: int = MOST_RUNS, most_bytes: int = MOST_BYTES) -> None:
    """Removes the oldest records beyond `most`, and beyond `most_bytes` in all. The newest and those of living runs stay."""
    total = 0
    for number, path in enumerate(runs(directory)):
        # Another run may prune at the same time.
        with contextlib.suppress(OSError):
            total += path.stat().st_size
            if number and (number >= most or total > most_bytes) and not living(path):
                path.unlink()


def living(path: Path) -> bool:
    """Whether a record's run goes on."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return held(descriptor)
    finally:
        os.close(descriptor)
