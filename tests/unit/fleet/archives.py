"""Image archives for tests, small, in each form that tools write."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Dict, Literal, Mapping

Mode = Literal["w", "w:gz", "w:bz2", "w:xz"]
LAYER = b"layer" * 1000


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config(*layers: bytes, **fields: Any) -> bytes:
    diff_ids = [f"sha256:{digest(layer)}" for layer in layers]
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, **fields}
    ).encode()


def tree(data: bytes) -> bytes:
    """A layer that an engine unpacks: a tar of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def docker(tag: str = "app:1", layer: bytes = LAYER) -> Dict[str, bytes]:
    """The members of what `docker save` writes."""
    text = config(layer)
    name = f"{digest(text)}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["l/layer.tar"]}]
    return {name: text, "l/layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}


def blob(members: Dict[str, bytes], data: bytes, **fields: Any) -> Dict[str, Any]:
    """Adds a blob; its descriptor."""
    members[f"blobs/sha256/{digest(data)}"] = data
    return {"digest": f"sha256:{digest(data)}", "size": len(data), **fields}


def manifest(members: Dict[str, bytes], layer: bytes = LAYER, **fields: Any) -> Dict[str, Any]:
    """Adds an image with one packed layer; its descriptor."""
    packed = gzip.compress(layer, mtime=0)
    document = {"schemaVersion": 2, "config": blob(members, config(layer)), "layers": [blob(members, packed)]}
    return blob(members, json.dumps(document).encode(), **fields)


def oci(name: str = "app:2") -> Dict[str, bytes]:
    """The members of an OCI layout."""
    members: Dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    one = manifest(members, annotations={"org.opencontainers.image.ref.name": name})
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [one]}).encode()
    return members


def write(path: Path, members: Mapping[str, bytes], mode: Mode = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path
