"""Builds the runtime's bundle, dist/skiff-<version>-noarch.tar.gz: the same bytes from the same sources, wherever they lie.

bin/ skiff/        runtime/ of this repository, without byte code
vendor/            the runtime's dependencies, pure Python, from this environment's verified distributions
LICENSE            and each dependency's in vendor/
manifest.json      the version, what it can follow, the dependencies' versions, every file's sha256

What it can follow: `follows` is the oldest version whose place it takes, `shims` the oldest and the newest protocol of shims that
its daemon understands; the newest is that of its own shims (fleet/agent/succession.py has the rule).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping

from fleet import tarball, vendor
from fleet.agent.versions import order
from fleet.content import Content
from fleet.errors import FleetError, UsageError
from fleet.tarball import Entry

ROOT = Path(__file__).resolve().parent.parent
# The runtime's dependencies; a test holds this against runtime/pyproject.toml.
DEPENDENCIES = ("h11",)
PACKAGE, SHIM = "skiff/__init__.py", "skiff/shim/__init__.py"
VERSION = '"([0-9A-Za-z.+-]+)"'


@dataclass(frozen=True)
class BundleResult:
    """A built bundle. `content` is held in memory: a build beside this run cannot change it.

    `succession` has its `follows` and `shims`; either is None in a bundle that does not say.
    """

    path: Path
    version: str
    content: Content
    succession: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The bundle's digest."""
        return self.content.sha256


def bundle(report: Callable[[str], None], root: Path = ROOT, version: str = "") -> BundleResult:
    """Build the bundle into dist/; a file there with these bytes is left alone. `version` names the sources otherwise than they do.

    Raises:
        FleetError: a source cannot be read, or a dependency is not here as the lock file wants it.
        UsageError: `version` is none.
    """
    version = version or read_version(root)
    path = path_of(version, root)
    try:
        content = Content.of(build(root, version))
        fresh = put(path, content)
    except OSError as error:
        raise FleetError("The bundle cannot be built.", f"{error.filename}: {error.strerror}") from error
    shown = os.path.relpath(path)
    report(f"{'built' if fresh else 'unchanged'}: {shown} ({content.size // 1000} kB, sha256 {content.sha256})")
    return BundleResult(path, version, content, succession(root))


def path_of(version: str, root: Path = ROOT) -> Path:
    """Where the bundle of a version lies once it is built."""
    return root / "dist" / f"skiff-{version}-noarch.tar.gz"


def read_version(root: Path) -> str:
    """The runtime's version, read without importing it: the suite and the runtime do not know each other."""
    return _constant(root / "runtime" / PACKAGE, "VERSION", VERSION)


def _constant(path: Path, name: str, form: str) -> str:
    found = re.search(f"^{name} = {form}$", path.read_text("utf-8"), re.MULTILINE)
    if not found:
        raise FleetError("The runtime's version cannot be told, or what it can follow.", f"{path} has no line {name} = ...")
    return found[1]


def build(root: Path, version: str = "") -> bytes:
    """The bundle's bytes.

    Raises:
        UsageError: `version` is none.
    """
    own = read_version(root)
    version = version or own
    if not re.fullmatch(VERSION.strip('"'), version) or not order(version):
        raise UsageError(f"{version!r} is no version", resolution="write it as 0.2.0, 0.2.0rc1 or 0.2.0+site1")
    entries = [*_runtime(root / "runtime"), Entry("LICENSE", (root / "LICENSE").read_bytes())]
    entries = [_named(entry, own, version) if entry.path == PACKAGE else entry for entry in entries]
    dependencies: Dict[str, str] = {}
    for name in DEPENDENCIES:
        dependencies[name], files = vendor.take(name, root / "requirements.lock")
        entries += [Entry(f"vendor/{path}", data) for path, data in files.items()]
    told = {"version": version, **succession(root)}
    entries.append(Entry("manifest.json", _manifest(told, dependencies, entries)))
    return tarball.gzip(tarball.tar(entries))


def _runtime(runtime: Path) -> Iterator[Entry]:
    for path in sorted((runtime / "bin").iterdir()):
        yield Entry(f"bin/{path.name}", path.read_bytes(), 0o755)
    for path in sorted((runtime / "skiff").rglob("*")):
        relative = path.relative_to(runtime)
        if path.is_file() and "__pycache__" not in relative.parts and not path.name.startswith("."):
            yield Entry(relative.as_posix(), path.read_bytes())


def _named(entry: Entry, own: str, version: str) -> Entry:
    return replace(entry, data=entry.data.replace(f'VERSION = "{own}"\n'.encode(), f'VERSION = "{version}"\n'.encode(), 1))


def succession(root: Path) -> Dict[str, Any]:
    """What the runtime of these sources can follow."""
    package, shim = root / "runtime" / PACKAGE, root / "runtime" / SHIM
    shims = tuple(int(_constant(shim, name, "([0-9]+)")) for name in ("OLDEST_PROTOCOL", "PROTOCOL"))
    return {"follows": _constant(package, "FOLLOWS", VERSION), "shims": shims}


def _manifest(told: Mapping[str, Any], dependencies: Dict[str, str], entries: List[Entry]) -> bytes:
    files = {entry.path: hashlib.sha256(entry.data).hexdigest() for entry in sorted(entries, key=lambda entry: entry.path)}
    document = {"name": "skiff", **told, "dependencies": dependencies, "files": files}
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
