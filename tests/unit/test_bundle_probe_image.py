"""The probe image: only from a static program of its architecture, and in the form that `docker load` takes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import tarfile
from pathlib import Path

import pytest

from fleet import probe_image
from fleet.content import Content
from fleet.errors import FleetError, UsageError
from roles.service import container


def elf(machine: int = 62, kind: int = 1, bits: int = 2, count: int = 1) -> bytes:
    """A program of a header and one program header."""
    head = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + struct.pack("<I", kind) + bytes(52)


@pytest.mark.parametrize(
    ("program", "arch", "fault"),
    [
        (elf(), "x86_64", ""),
        (elf(183), "aarch64", ""),
        (elf(), "aarch64", "another architecture"),
        (elf(kind=3), "x86_64", "dynamically"),
        (elf(bits=1), "x86_64", "no 64-bit"),
        (elf(count=9), "x86_64", "cut short"),
        (b"#!/bin/sh\n", "x86_64", "no 64-bit"),
        (b"", "x86_64", "no 64-bit"),
    ],
)
def test_the_program_is_looked_at(program: bytes, arch: str, fault: str) -> None:
    found = probe_image.elf_fault(program, arch)
    assert fault in found
    assert bool(found) == bool(fault)


@pytest.fixture
def busybox(tmp_path: Path) -> Path:
    path = tmp_path / "busybox"
    path.write_bytes(elf(183))
    return path


def test_the_archive_names_its_parts_by_their_digests(busybox: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(probe_image.image("aarch64", busybox))) as archive:
        parts = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr] # only files
    (manifest,) = json.loads(parts["manifest.json"])
    config = parts[manifest["Config"]]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    assert manifest["RepoTags"] == [probe_image.REFERENCE] == [container.REFERENCE]
    document = json.loads(config)
    assert document["architecture"] == "arm64"
    (layer,) = [parts[name] for name in manifest["Layers"]]
    assert document["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tree:
        assert tree.getmember("bin/sh").linkname == "busybox"
        assert tree.getmember("bin/busybox").mode == 0o755


def test_the_same_program_gives_the_same_bytes(busybox: Path) -> None:
    assert probe_image.image("aarch64", busybox) == probe_image.image("aarch64", busybox)


def test_applets_that_the_proof_uses_are_in_it() -> None:
    assert {"sh", "readlink", "touch", "test", "dd"} <= set(probe_image.APPLETS)


@pytest.mark.parametrize("arch", ["s390x", ""])
def test_an_unknown_architecture_is_refused(arch: str) -> None:
    with pytest.raises(UsageError, match="no probe image"):
        probe_image.image(arch)


def test_a_program_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        probe_image.image("x86_64", tmp_path / "missing")


def test_another_architecture_needs_a_program_of_its_own() -> None:
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    with pytest.raises(FleetError, match="cannot be made from this machine's busybox") as caught:
        probe_image.image(other)
    assert "--busybox FILE" in caught.value.resolution


def test_what_was_built_for_another_architecture_is_at_hand(busybox: Path, tmp_path: Path) -> None:
    path = probe_image.build("aarch64", busybox, report=lambda _: None, root=tmp_path)
    assert path == tmp_path / "dist" / "probe-aarch64.tar"
    if platform.machine() != "aarch64":
        assert probe_image.at_hand(tmp_path)["aarch64"] == Content.from_file(path)
    assert "aarch64" in probe_image.at_hand(tmp_path)
