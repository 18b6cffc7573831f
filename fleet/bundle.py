"""Builds the runtime's bundle, dist/skiff-<version>-noarch.tar.gz: the same bytes from the same sources, wherever they lie.

bin/ skiff/        runtime/ of this repository, without byte code
vendor/            the runtime's dependencies, pure Python, from this environment's verified distributions
LICENSE            and each dependency's in vendor/
manifest.json      the version, the dependencies' versions, every file's sha256
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List

from fleet import tarball, vendor
from fleet.content import Content
from fleet.errors import FleetError
from fleet.tarball import Entry

ROOT = Path(__file__).resolve().parent.parent
# The runtime's dependencies; a test holds this against runtime/pyproject.toml.
DEPENDENCIES = ("h11",)


@dataclass(frozen=True)
class BundleResult:
    """A built bundle. `content` is held in memory: a build beside this run cannot change it."""

    path: Path
    version: str
    content: Content

    @property
    def sha256(self) -> str:
        """The bundle's digest."""
        return self.content.sha256


def bundle(report: Callable[[str], None], root: Path = ROOT) -> BundleResult:
    """Build the bundle into dist/; a file there with these bytes is left alone.

    Raises:
        FleetError: a source cannot be read, or a dependency is not here as the lock file wants it.
    """
    version = read_version(root)
    path = root / "dist" / f"skiff-{version}-noarch.tar.gz"
    try:
        content = Content.of(build(root))
        fresh = put(path, content)
    except OSError as error:
        raise FleetError("The bundle cannot be built.", f"{error.filename}: {error.strerror}") from error
    shown = os.path.relpath(path)
    report(f"{'built' if fresh else 'unchanged'}: {shown} ({content.size // 1000} kB, sha256 {content.sha256})")
    return BundleResult(path, version, content)


def read_version(root: Path) -> str:
    """The runtime's version, read without importing it: the suite and the runtime do not know each other."""
    path = root / "runtime" / "skiff" / "__init__.py"
    found = re.search(r'^VERSION = "([0-9A-Za-z.+-]+)"$', path.read_text("utf-8"), re.MULTILINE)
    if not found:
        raise FleetError("The runtime's version cannot be told.", f'{path} has no line VERSION = "..."')
    return found[1]


def build(root: Path) -> bytes:
    """The bundle's bytes."""
    entries = [*_runtime(root / "runtime"), Entry("LICENSE", (root / "LICENSE").read_bytes())]
    dependencies: Dict[str, str] = {}
    for name in DEPENDENCIES:
        dependencies[name], files = vendor.take(name, root / "requirements.lock")
        entries += [Entry(f"vendor/{path}", data) for path, data in files.items()]
    entries.append(Entry("manifest.json", _manifest(read_version(root), dependencies, entries)))
    return tarball.gzip(tarball.tar(entries))


def _runtime(runtime: Path) -> Iterator[Entry]:
    for path in sorted((runtime / "bin").iterdir()):
        yield Entry(f"bin/{path.name}", path.read_bytes(), 0o755)
    for path in sorted((runtime / "skiff").rglob("*")):
        relative = path.relative_to(runtime)
        if path.is_file() and "__pycache__" not in relative.parts and not path.name.startswith("."):
            yield Entry(relative.as_posix(), path.read_bytes())


def _manifest(version: str, dependencies: Dict[str, str], entries: List[Entry]) -> bytes:
    files = {entry.path: hashlib.sha256(entry.data).hexdigest() for entry in sorted(entries, key=lambda entry: entry.path)}
    document = {"name": "skiff", "version": version, "dependencies": dependencies, "files": files}
    return (json.dumps(document, indent=1) + "\n").encode()


def put(path: Path, content: Content) -> bool:
    """Have this content at `path`, whole or not at all; whether it had to be written."""
    if path.is_file() and Content.from_file(path) == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as stream:
            stream.writelines(content.chunks())
            os.fchmod(stream.fileno(), 0o644)
        os.replace(aside, path)
    except OSError:
        os.unlink(aside)
        raise
    return True
