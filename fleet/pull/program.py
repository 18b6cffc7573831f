"""The program that pulls, as it is laid on a host: its own modules, and those of the agent that they import."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Dict, Iterator

from fleet import tarball
from fleet.content import Content
from fleet.tarball import Entry

SOURCES = Path(__file__).resolve().parent.parent
MAIN = b'"""Pulls once."""\n\nimport sys\n\nfrom fleet.puller.main import main\n\nsys.exit(main())\n'


@functools.cache
def archive() -> Content:
    """It as a tar.gz, the same bytes for the same sources."""
    entries = [Entry("__main__.py", MAIN), Entry("fleet/__init__.py"), Entry("fleet/agent/__init__.py")]
    entries += [Entry(f"{name}.py", text) for name, text in modules().items()]
    return Content.of(tarball.gzip(tarball.tar(entries)))


def modules() -> Dict[str, bytes]:
    """The texts of the modules by their paths without suffix."""
    found: Dict[str, bytes] = {}
    wanted = [f"fleet/puller/{path.stem}" for path in (SOURCES / "puller").glob("*.py")]
    while wanted:
        name = wanted.pop()
        path = SOURCES.parent / f"{name}.py"
        if name not in found and path.is_file():
            found[name] = path.read_bytes()
            wanted += imported(found[name])
    return found


def imported(text: bytes) -> Iterator[str]:
    """The paths of what a module imports of the agent; where it imports a module's name, the module's own too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fleet.agent"):
            place = node.module.replace(".", "/")
            yield place
            yield from (f"{place}/{alias.name}" for alias in node.names)
