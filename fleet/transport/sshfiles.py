"""The files of OpenSSH's client configuration, the user's before the system's, with what they include: paramiko knows no Include.

Needs nothing but the standard library.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from pathlib import Path
from typing import Iterator, List

USER = Path("~/.ssh/config")
SYSTEM = Path("/etc/ssh/ssh_config")
FILES = (USER, SYSTEM)
INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
SECTION = re.compile(r"\s*(?:host|match)\b", re.IGNORECASE)
DEPTH = 16


def lines(path: Path, depth: int = DEPTH) -> Iterator[str]:
    """A file's lines, with those of included files in their place."""
    section = "Host *"
    for line in path.read_text("utf-8").splitlines():
        found = INCLUDE.match(line)
        if found is None:
            section = line if SECTION.match(line) else section
            yield line
        elif depth:
            for name in included(found[1], path):
                yield from lines(name, depth - 1)
            # What follows belongs where the Include stands, not to the last section of the included file.
            yield section


def included(words: str, path: Path) -> List[Path]:
    """The files that an Include names; relative ones lie in ~/.ssh, or beside the system's own file."""
    base = path.parent if SYSTEM.parent in path.parents else USER.expanduser().parent
    names = [os.path.expanduser(word) for word in shlex.split(words)]
    return [Path(found) for name in names for found in sorted(glob.glob(os.path.join(base, name))) if Path(found).is_file()]
