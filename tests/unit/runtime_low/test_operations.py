"""Steps of a container's root against somebody who changes paths meanwhile, and what the kernel would cut short."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from skiff.errors import InvalidInput, SkiffError
from skiff.linux import capabilities, mounts, prctl
from skiff.linux.libc import failure
from skiff.oci import mountoptions, namespaces
from skiff.oci.operations import Mount


def test_a_target_swapped_after_its_bind_is_not_remounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the flags would go to another mount, and a read-only bind stay writable."""
    source, target = tmp_path / "source", tmp_path / "root" / "volume" / "target"
    for directory in (source, target):
        directory.mkdir(parents=True)
    calls = []

    def swap(*arguments: object) -> None:
        calls.append(arguments)
        target.rename(target.with_name("moved"))
        target.mkdir()

    monkeypatch.setattr(mounts, "mount", swap)
    root = os.open(tmp_path / "root", os.O_PATH)
    try:
        with pytest.raises(SkiffError, match="changed while it was mounted"):
            Mount(bytes(source), b"/volume/target", b"bind", mountoptions.parse(["bind", "ro"]))(root)
    finally:
        os.close(root)
    assert len(calls) == 1


def test_data_that_the_kernel_would_cut_is_refused() -> None:
    with pytest.raises(SkiffError, match="mount /nosuch: Argument list too long"):
        mounts.mount(b"overlay", b"/nosuch", b"overlay", 0, b"lowerdir=" + b"/x:" * 2000)


def test_the_hosts_own_mount_namespace_is_not_joined() -> None:
    spec: Any = {"linux": {"namespaces": [{"type": "mount", "path": "/proc/self/ns/mnt"}]}}
    with pytest.raises(InvalidInput, match="is the one that skiff runs in"):
        namespaces.of_spec(spec)


@pytest.mark.parametrize(("wanted", "fails"), [(0, False), (1, True)])
def test_a_kernel_without_ambient_capabilities(monkeypatch: pytest.MonkeyPatch, wanted: int, fails: bool) -> None:
    def old(_option: int, _second: int, _third: int = 0) -> None:
        raise failure("prctl", 22)

    monkeypatch.setattr(prctl, "prctl", old)
    if fails:
        with pytest.raises(SkiffError):
            capabilities.set_ambient(wanted)
    else:
        capabilities.set_ambient(wanted)
        assert wanted == 0
