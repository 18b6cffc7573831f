"""The program that pulls, as it is laid on a host: its own modules and those of the agent that it takes."""

from __future__ import annotations

import functools
from pathlib import Path

from fleet import tarball
from fleet.content import Content
from fleet.tarball import Entry

SOURCES = Path(__file__).resolve().parent.parent
SHARED = ("atomic", "child", "errors", "frames", "output", "process", "state")
MAIN = b'"""Pulls once."""\n\nimport sys\n\nfrom fleet.puller.main import main\n\nsys.exit(main())\n'


@functools.cache
def archive() -> Content:
    """It as a tar.gz, the same bytes for the same sources."""
    entries = [Entry("__main__.py", MAIN), Entry("fleet/__init__.py"), Entry("fleet/agent/__init__.py")]
    entries += [Entry(f"fleet/agent/{name}.py", (SOURCES / "agent" / f"{name}.py").read_bytes()) for name in SHARED]
    entries += [Entry(f"fleet/puller/{path.name}", path.read_bytes()) for path in sorted((SOURCES / "puller").glob("*.py"))]
    return Content.of(tarball.gzip(tarball.tar(entries)))
