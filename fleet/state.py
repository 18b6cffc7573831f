"""The control machine's own directory: what runs leave and what plans are sealed with, readable by its owner alone."""

from __future__ import annotations

import os
from pathlib import Path


def directory() -> Path:
    """XDG_STATE_HOME/skiff, or ~/.local/state/skiff."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "skiff"


def prepare(path: Path) -> None:
    """Makes a directory there the owner's alone.

    Raises:
        OSError: it cannot be made, or is another's.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
