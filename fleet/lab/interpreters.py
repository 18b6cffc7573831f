"""Finds the Pythons of the releases on this machine: pyenv's, where there are any."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import List, Optional

from fleet.lab import command


def find(version: str) -> Optional[Path]:
    """The prefix of pyenv's newest Python of a version such as "3.9", or None."""
    root = _pyenv_root()
    if root is None:
        return None
    pattern = re.compile(re.escape(version) + r"\.(\d+)")
    matches = [(int(match[1]), path) for path in (root / "versions").glob("*") if (match := pattern.fullmatch(path.name))]
    usable = [(patch, path) for patch, path in matches if (path / "bin" / "python3").exists()]
    return max(usable)[1] if usable else None


def libraries(prefix: Path) -> List[Path]:
    """The shared libraries of the interpreter itself: its run path is that of this machine, and leads nowhere on the host."""
    return sorted(prefix.glob("lib/libpython*.so.*"))


def _pyenv_root() -> Optional[Path]:
    if shutil.which("pyenv"):
        return Path(command.run(["pyenv", "root"]).strip())
    for place in (os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")):
        if place and Path(place).is_dir():
            return Path(place)
    return None
