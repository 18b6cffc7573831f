"""What is mounted on this machine, read from the kernel; and unmounting."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, NamedTuple

from fleet.lab import command

MOUNTINFO = Path("/proc/self/mountinfo")


class Mount(NamedTuple):
    """One line of mountinfo."""

    target: str
    kind: str
    options: str


def table(text: str) -> List[Mount]:
    """Parses the text of a mountinfo file. Of what ends a line elsewhere, the kernel escapes the newline alone."""
    rows = []
    for line in filter(None, text.split("\n")):
        front, _, back = line.partition(" - ")
        kind, _source, options = back.split(" ", 2)
        rows.append(Mount(_unescape(front.split(" ")[4]), kind, options))
    return rows


def current() -> List[Mount]:
    """What is mounted now, in the order of mounting."""
    return table(os.fsdecode(MOUNTINFO.read_bytes()))


def is_mounted(directory: Path) -> bool:
    """Whether something is mounted right there."""
    return any(mount.target == str(directory) for mount in current())


def kind_at(directory: Path) -> str:
    """The type of the file system that a path lies on."""
    parts = [directory, *directory.parents]
    nearest = max((mount for mount in reversed(current()) if Path(mount.target) in parts), key=lambda mount: len(mount.target))
    return nearest.kind


def mentions(path: str) -> bool:
    """Whether a mount's target or options name the path, as an overlay's lower directory does."""
    return any(path in mount.options or mount.target.startswith(path) for mount in current())


def unmount_below(directory: Path) -> None:
    """Unmounts everything at the directory or below, the last mounted first."""
    for mount in reversed(current()):
        if mount.target == str(directory) or mount.target.startswith(f"{directory}/"):
            command.run(["umount", "--lazy", mount.target])


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
