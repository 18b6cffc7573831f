"""The pages of docs/reference and what is in them now."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Container, Dict

from invoke.collection import Collection

from fleet.reference import checks, messages, tasks, variables
from fleet.roles.defaults import read_defaults
from fleet.roles.loader import BUILT_IN, find, load_role
from fleet.run.selection import listed

ROOT = BUILT_IN.parent
PLACE = ROOT / "docs" / "reference"


def pages(root: Collection, connecting: Container[str]) -> Dict[Path, str]:
    """Each page's path and what should stand in it."""
    sources = [path for folder in ("fleet", "roles") for path in (ROOT / folder).rglob("*.py")]
    roles = find(BUILT_IN, None)
    summaries = {name: ast.get_docstring(ast.parse((path / "__init__.py").read_text())) or "" for name, path in roles.items()}
    declared = {name: read_defaults(name, path / "defaults.yml") for name, path in roles.items()}
    return {
        PLACE / "tasks.md": tasks.page(root, connecting),
        PLACE / "variables.md": variables.page(declared, summaries),
        PLACE / "messages.md": messages.page(sources),
        PLACE / "checks.md": checks.page(listed(load_role(name, path) for name, path in roles.items())),
    }
