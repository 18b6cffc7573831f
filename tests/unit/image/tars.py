"""Tar streams and image archives made in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from typing import Any, Optional


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One entry, the test's own user its owner."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.uid, info.gid = os.geteuid(), os.getegid()
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.DIRTYPE, **fields)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.LNKTYPE, linkname=target)


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A stream of them in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config(layers: Sequence[bytes], **fields: Any) -> bytes:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Cmd": ["sh"], "Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        **fields,
    }
    return json.dumps(document).encode()


def docker_archive(layers: Sequence[bytes], names: Optional[Sequence[str]], document: Optional[bytes] = None) -> bytes:
    """As `docker save` writes it."""
    document = document if document is not None else config(layers)
    rows = [{"Config": "config.json", "RepoTags": names, "Layers": [f"{index}/layer.tar" for index in range(len(layers))]}]
    files = [member(f"{index}/layer.tar", layer) for index, layer in enumerate(layers)]
    return tar(*files, member("config.json", document), member("manifest.json", json.dumps(rows).encode()))


class Layout:
    """An OCI layout that grows."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, data: bytes, **fields: Any) -> dict[str, Any]:
        """A blob's descriptor."""
        self.blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data), **fields}

    def image(self, layers: Sequence[bytes], **fields: Any) -> dict[str, Any]:
        """A manifest's descriptor; its layers are compressed."""
        manifest = {
            "schemaVersion": 2,
            "config": self.add(config(layers)),
            "layers": [self.add(gzip.compress(layer, mtime=0)) for layer in layers],
        }
        return self.add(json.dumps(manifest).encode(), **fields)

    def index(self, descriptors: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list(descriptors)}
        return self.add(json.dumps(document).encode(), **fields)

    def archive(self, descriptors: Sequence[dict[str, Any]]) -> bytes:
        files = [member(f"./blobs/{name.replace(':', '/')}", data) for name, data in self.blobs.items()]
        return tar(*files, member("./index.json", json.dumps({"schemaVersion": 2, "manifests": list(descriptors)}).encode()))
