"""A digest of the suite's own sources: machines that share a run must have the same ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("fleet", "roles", "templates")


def digest(own_roles: Optional[str]) -> str:
    """The digest of the engine, its roles and templates, and of a user's own roles."""
    found = hashlib.sha256()
    for part in (*(ROOT / name for name in PARTS), *([Path(own_roles)] if own_roles else [])):
        for path in sorted(part.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(part)}\0{path.stat().st_size}\0".encode())
                found.update(path.read_bytes())
    return found.hexdigest()
