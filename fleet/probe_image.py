"""Makes the image that verification runs on a host: a static busybox as a docker-archive, the same bytes from the same busybox."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shutil
import struct
from pathlib import Path
from typing import Callable, Dict, Optional

from fleet import tarball
from fleet.bundle import ROOT, put
from fleet.content import Content
from fleet.errors import FleetError, UsageError
from fleet.tarball import Entry

REFERENCE = "skiff/probe:1"
# uname's word for an architecture: ELF's number for it, and the image specification's word.
ARCHITECTURES = {"x86_64": (62, "amd64"), "aarch64": (183, "arm64")}
APPLETS = (
    *("sh", "cat", "dd", "df", "echo", "env", "false", "grep", "head", "hostname", "id", "ls", "mount", "ps", "readlink"),
    *("sleep", "tail", "test", "touch", "true", "uname", "wc"),
)
PT_INTERP = 3


def build(
    arch: str = "", busybox: Optional[Path] = None, report: Callable[[str], None] = lambda _: None, root: Path = ROOT
) -> Path:
    """Write dist/probe-<arch>.tar, for this machine's architecture unless told otherwise, and give its path.

    Raises:
        UsageError: the busybox given is not a static one of this architecture.
        FleetError: this machine has none.
    """
    arch = arch or platform.machine()
    path = root / "dist" / f"probe-{arch}.tar"
    content = Content.of(image(arch, busybox))
    fresh = put(path, content)
    report(f"{'built' if fresh else 'unchanged'}: {os.path.relpath(path)} ({content.size // 1000} kB, sha256 {content.sha256})")
    return path


def at_hand(root: Path = ROOT) -> Dict[str, Content]:
    """The images by architecture: this machine's own if it has a busybox, and those that `build` left in dist/."""
    found = {}
    for arch in ARCHITECTURES:
        built = root / "dist" / f"probe-{arch}.tar"
        try:
            found[arch] = Content.of(image(arch))
        except FleetError:
            if built.is_file():
                found[arch] = Content.from_file(built)
    return found


def image(arch: str, busybox: Optional[Path] = None) -> bytes:
    """The image's bytes."""
    if arch not in ARCHITECTURES:
        raise UsageError(f"There is no probe image for the architecture {arch}.", resolution=f"Known: {', '.join(ARCHITECTURES)}.")
    path = busybox or _own(arch)
    try:
        program = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    fault = elf_fault(program, arch)
    if fault:
        raise UsageError(f"{path}: {fault}", resolution=f"Give a statically linked busybox for {arch} with --busybox FILE.")
    return _docker_archive(program, ARCHITECTURES[arch][1])


def _own(arch: str) -> Path:
    """This machine's busybox."""
    if arch != platform.machine():
        raise FleetError(
            f"The probe image for {arch} cannot be made from this machine's busybox, which is for {platform.machine()}.",
            resolution=f"Give a statically linked busybox for {arch} with --busybox FILE.",
        )
    found = shutil.which("busybox", path=f"{os.environ.get('PATH', '')}:/bin:/usr/bin")
    if not found:
        raise FleetError("This machine has no busybox.", resolution="Install the package busybox-static, or give --busybox FILE.")
    return Path(found)


def elf_fault(program: bytes, arch: str) -> str:
    """Why these bytes are no static program for the architecture; empty if they are one."""
    number, _ = ARCHITECTURES[arch]
    if program[:6] != b"\x7fELF\x02\x01" or len(program) < 64:
        return "is no 64-bit little-endian ELF program"
    (machine,) = struct.unpack_from("<H", program, 18)
    if machine != number:
        return f"is for another architecture than {arch} (ELF machine {machine})"
    (table,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    if table + size * count > len(program):
        return "is cut short"
    kinds = [struct.unpack_from("<I", program, table + size * index)[0] for index in range(count)]
    return "is linked dynamically" if PT_INTERP in kinds else ""


def _docker_archive(program: bytes, architecture: str) -> bytes:
    """One layer, its configuration and the manifest, as `docker save` writes them."""
    layer = tarball.tar(
        [
            Entry("bin/busybox", program, 0o755),
            *(Entry(f"bin/{applet}", mode=0o777, link="busybox") for applet in APPLETS),
            *(Entry(f"{name}/", mode=0o755) for name in ("dev", "etc", "proc", "root", "sys")),
            Entry("tmp/", mode=0o1777),
            Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
            Entry("etc/group", b"root:x:0:\n"),
        ]
    )
    created = datetime.datetime.fromtimestamp(tarball.epoch(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = _json(
        {
            "created": created,
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": created, "created_by": "busybox, static"}],
        }
    )
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = _json([{"Config": name, "RepoTags": [REFERENCE], "Layers": ["layer.tar"]}])
    return tarball.tar([Entry("layer.tar", layer), Entry(name, config), Entry("manifest.json", manifest)])


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
