"""The two runtimes on the same bench; in the namespaces of the tests on the real kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from skiff.cgroup import files, hierarchy
from skiff.linux import mounts
from tests.contract.conftest import needs_root
from tests.contract.runc.bench import THEIRS, Bench
from tests.root.conftest import busybox, own_namespaces

__all__ = ["bench", "busybox", "own_namespaces"]  # fixtures are there by their names


@pytest.fixture(scope="package")
def bench(own_namespaces: None, busybox: Path) -> Iterator[Bench]:
    """Bundles, a directory with another mount in it, and a process in namespaces of its own."""
    needs_root()
    if shutil.which(THEIRS) is None:
        pytest.skip("runc is not installed")
    path = Path(tempfile.mkdtemp(prefix="skiff-bench-"))
    path.chmod(0o755)  # another user's containers must come by
    (path / "source" / "inner").mkdir(parents=True)
    mounts.mount(b"tmpfs", os.fsencode(path / "source" / "inner"), b"tmpfs", 0, b"size=64k")
    for name in ("file", "inner/file"):
        (path / "source" / name).write_text("said\n")
    for name in ("program", "inner/program"):
        (path / "source" / name).write_text("#!/bin/sh\necho ran\n")
        (path / "source" / name).chmod(0o4755)
    layout = hierarchy.discover()
    roots = [one.directory for one in layout.hierarchies] + ([layout.unified] if layout.unified else [])
    prefix = f"/skiff-bench-{os.getpid()}"
    command = [
        "unshare",
        "--uts",
        "--ipc",
        "--net",
        "--cgroup",
        "--pid",
        "--time",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        "echo; exec sleep 600",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0]
        try:
            yield Bench(path, prefix, roots, busybox, f"/proc/{child}")
        finally:
            holder.kill()
    mounts.unmount(os.fsencode(path / "source" / "inner"))
    for root in roots:
        files.remove(root + prefix)
    shutil.rmtree(path)
