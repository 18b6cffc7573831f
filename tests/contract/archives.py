"""Images for tests, made with tarfile alone: a static busybox as a docker-archive."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

APPLETS = (
    "sh",
    "true",
    "false",
    "echo",
    "cat",
    "sleep",
    "env",
    "id",
    "hostname",
    "ls",
    "kill",
    "yes",
    "head",
    "readlink",
    "mount",
    "test",
)


def busybox_layer(program: bytes) -> bytes:
    """A layer as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("bin", "etc", "tmp", "root"):
            add(tar, name, b"", tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755)
        add(tar, "bin/busybox", program, tarfile.REGTYPE, 0o755)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
        add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:1000::/home/sailor:/bin/sh\n", tarfile.REGTYPE, 0o644)
        add(tar, "etc/group", b"root:x:0:\nsailor:x:1000:\n", tarfile.REGTYPE, 0o644)
    return buffer.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes, kind: bytes, mode: int) -> None:
    """One entry."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.mode = len(content), kind, mode
    tar.addfile(entry, io.BytesIO(content))


def write_docker_archive(path: Path, layer: bytes, tag: str, config: dict[str, object]) -> None:
    """What `docker save` writes, as little of it as `docker load` needs."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [],
    }
    text = json.dumps(document).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, content in ((name, text), ("layer.tar", layer), ("manifest.json", manifest)):
            add(tar, member, content, tarfile.REGTYPE, 0o644)
