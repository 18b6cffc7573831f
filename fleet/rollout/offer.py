"""The bundle that --to means: a version whose bundle is in dist/, this checkout's own, or a bundle's file."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any, Dict

from fleet import bundle
from fleet.agent import versions
from fleet.bundle import BundleResult
from fleet.content import Content
from fleet.errors import UsageError

LARGEST = 16 << 20  # bytes of a manifest


def find(to: str, root: Path = bundle.ROOT) -> BundleResult:
    """The bundle.

    Raises:
        UsageError: there is none, or the file is no bundle of the runtime's.
        FleetError: this checkout's cannot be built.
    """
    if to == bundle.read_version(root):
        return bundle.bundle(lambda _: None, root)
    known = bundle.path_of(to, root) if versions.order(to) and "/" not in to else None
    path = known if known is not None and known.is_file() else Path(to)
    if not path.is_file():
        ready = [
            each.name[len("skiff-") : -len("-noarch.tar.gz")] for each in sorted((root / "dist").glob("skiff-*-noarch.tar.gz"))
        ]
        cure = f"`./inv bundle` in a checkout of that version builds it; in dist/ there is {', '.join(ready) or 'none'}"
        raise UsageError(f"--to {to}: there is no such bundle", f"looked at {known or path}", cure)
    return read(path)


def read(path: Path) -> BundleResult:
    """The bundle in a file.

    Raises:
        UsageError: the file cannot be read, or is none.
    """
    try:
        content = Content.of(path.read_bytes())
        told = manifest(content)
        version = str(told["version"])
        if told["name"] != "skiff" or versions.order(version) is None:
            raise ValueError(f"it is of {told['name']} {version}")
    except OSError as error:
        raise UsageError(f"--to {path}: cannot be read: {error.strerror}") from error
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"--to {path}: is no bundle of Skiff's: {error}", resolution="`./inv bundle` builds one") from error
    return BundleResult(path.absolute(), version, content, {name: told.get(name) for name in ("follows", "shims")})


def manifest(content: Content) -> Dict[str, Any]:
    """What a bundle says of itself.

    Raises:
        TarError, EOFError, KeyError, ValueError: it is none.
    """
    with tarfile.open(fileobj=io.BytesIO(b"".join(content.chunks())), mode="r:gz") as archive:
        stream = archive.extractfile("manifest.json")
        if stream is None:
            raise ValueError("its manifest.json is no file")
        found = json.loads(stream.read(LARGEST))
    if not isinstance(found, dict):
        raise TypeError("its manifest.json is no object")
    return found
