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
from tests.contract.runc.rootless import Rootless
from tests.root.conftest import apart, busybox

__all__ = ["busybox"]  # a fixture is there by its name


@pytest.fixture(scope="module", autouse=True)
def own_namespaces() -> Iterator[None]:
    """These tests alone are apart from the machine: a package without an __init__ would mean the whole session."""
    with apart():
        yield


HOLDER = ["unshare", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--time", "--fork", "--kill-child"]


@pytest.fixture(scope="module")
def holder(own_namespaces: None) -> Iterator[str]:
    """The /proc directory of a process in namespaces of its own."""
    needs_root()
    with subprocess.Popen([*HOLDER, "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield "/proc/" + Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def place(own_namespaces: None) -> Iterator[Path]:
    """Where everything is, with a directory `source` that has another mount in it."""
    path = Path(tempfile.mkdtemp(prefix="skiff-bench-"))
    path.chmod(0o755)  # another user's containers must come by
    inner = path / "source" / "inner"
    inner.mkdir(parents=True)
    mounts.mount(b"tmpfs", os.fsencode(inner), b"tmpfs", 0, b"size=64k")
    for directory in (inner.parent, inner):
        (directory / "file").write_text("said\n")
        (directory / "program").write_text("#!/bin/sh\necho ran\n")
        (directory / "program").chmod(0o4755)
    yield path
    mounts.unmount(os.fsencode(inner))
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def bench(place: Path, busybox: Path, holder: str) -> Iterator[Bench]:
    """Root's."""
    if shutil.which(THEIRS) is None:
        pytest.skip("runc is not installed")
    layout = hierarchy.discover()
    roots = [one.directory for one in layout.hierarchies] + ([layout.unified] if layout.unified else [])
    prefix = f"/skiff-bench-{os.getpid()}"
    yield Bench(place, prefix, roots, busybox, holder)
    for root in roots:
        files.remove(root + prefix)


@pytest.fixture(scope="module")
def rootless(place: Path, bench: Bench, busybox: Path, holder: str) -> Rootless:
    """That of a user without rights."""
    made = Rootless(place / "rootless", busybox, holder)
    made.source = bench.source
    return made
