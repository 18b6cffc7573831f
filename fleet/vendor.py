"""Takes a dependency's files from this environment, where pip put them after checking them against the lock file's digests.

So a bundle needs no network. Each file is held against its own digest in RECORD, so what was edited since is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import metadata
from pathlib import Path
from typing import Dict, Tuple

from fleet.errors import FleetError

# Of a distribution's own folder, what a reader of the bundle may ask for; the rest tells how it was installed here.
KEPT = re.compile(r"/(METADATA|LICEN[CS]E[^/]*|COPYING[^/]*|NOTICE[^/]*|licenses/.+)$")
CURE = "Remove .venv and run ./inv again: it is made anew from requirements.lock."


def take(name: str, lock: Path) -> Tuple[str, Dict[str, bytes]]:
    """A distribution's version, and its files by their path in vendor/.

    Raises:
        FleetError: it is not installed, not in the locked version, not pure Python, or was changed.
    """
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise FleetError(f"{name}, which the runtime needs, is not in this environment.", "", CURE) from None
    locked = pinned(name, lock.read_text("utf-8"))
    if distribution.version != locked:
        raise FleetError(f"{name} is here in version {distribution.version}; requirements.lock wants {locked}.", "", CURE)
    if "Root-Is-Purelib: true" not in (distribution.read_text("WHEEL") or ""):
        raise FleetError(f"{name} is not pure Python; the bundle is for every architecture.")
    return distribution.version, _files(name, distribution)


def pinned(name: str, lock: str) -> str:
    """The version that the lock file names."""
    found = re.search(rf"^{re.escape(name)}==([^\s;\\]+)", lock, re.MULTILINE)
    if not found:
        raise FleetError(f"requirements.lock does not name {name}, which the runtime needs.")
    return found[1]


def _files(name: str, distribution: metadata.Distribution) -> Dict[str, bytes]:
    files = {}
    for entry in distribution.files or []:
        path = entry.as_posix()
        if entry.hash is None or ".." in entry.parts or (entry.parts[0].endswith(".dist-info") and not KEPT.search(path)):
            continue  # byte code made here, RECORD itself, scripts outside of the package
        data = Path(str(entry.locate())).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.new(entry.hash.mode, data).digest()).rstrip(b"=").decode()
        if digest != entry.hash.value:
            raise FleetError(f"{name}'s file {path} was changed after its installation.", "", CURE)
        files[path] = data
    if not files:
        raise FleetError(f"{name} is installed without a list of its files.", "", CURE)
    return files
