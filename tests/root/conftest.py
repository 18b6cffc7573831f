"""Tests against the real kernel, each in namespaces of the session's own, each followed by a look for what it left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator

import pytest

from skiff.cgroup import files, hierarchy
from skiff.cgroup.place import SLICE
from skiff.errors import SkiffError
from skiff.linux import mounts, namespaces, network, prctl
from skiff.oci import labels
from tests.root.box import Box
from tests.root.oci import Oci

PATIENCE = 30.0  # where something is awaited: under an emulator a step takes ten times as long
# What needs systemd's scopes, or a security module of the kernel: the lab's hosts and the virtual machines have them.
NEEDS = {
    "test_scope.py": os.path.isdir("/run/systemd/system"),
    "test_apparmor.py": labels.apparmor_enabled(),
    "test_selinux.py": labels.selinux_enabled(),
}
collect_ignore = [name for name, there in NEEDS.items() if not there]
_NUMBERS = itertools.count()


def _needs() -> str:
    """What this machine withholds from these tests, by the call that fails; empty if nothing."""
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.unshare(namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET | namespaces.CLONE_NEWPID)
            mounts.mount(None, b"/", None, mounts.MS_PRIVATE | mounts.MS_REC)
            os._exit(0)
        except SkiffError as error:
            sys.stderr.write(f"{error}\n")
        finally:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        return "unshare or mount is not permitted"
    for directory in _hierarchies():
        if not os.access(directory, os.W_OK):
            return f"mkdir below {directory} is not permitted"
    return ""


def _hierarchies() -> list[str]:
    layout = hierarchy.discover()
    found = [one.directory for one in layout.hierarchies]
    return [*found, layout.unified] if layout.unified else found


@pytest.fixture(scope="package", autouse=True)
def own_namespaces() -> Iterator[None]:
    """The tests of this directory are apart from the machine."""
    with apart():
        yield


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Mount and network namespaces of our own, so that what others do on the machine is not seen here, nor ours there."""
    missing = _needs()
    if missing:
        pytest.skip(missing)
    before = [(os.open(f"/proc/self/ns/{name}", os.O_RDONLY), kind) for name, kind in _KINDS]
    cwd = os.getcwd()
    for _, kind in _KINDS:
        namespaces.unshare(kind)
    mounts.mount(None, b"/", None, mounts.MS_PRIVATE | mounts.MS_REC)
    network.loopback_up()
    prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)
    yield
    prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 0)
    # A thread that was joined is the kernel's for a moment yet, and a process of two may not go to another mount namespace.
    end = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    for fd, kind in before:
        namespaces.setns(fd, kind)
        os.close(fd)
    os.chdir(cwd)


_KINDS = (("net", namespaces.CLONE_NEWNET), ("mnt", namespaces.CLONE_NEWNS))


class Traces:
    """What a test could leave: mounts, links, network namespaces by name, cgroups, children, each as often as it is there."""

    def __init__(self, prefix: str) -> None:
        self.mounts = sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
        self.links = sorted(name for _, name in socket.if_nameindex())  # /sys shows those of the namespace that mounted it
        self.netns = sorted(name for name in _listing("/run/netns") if "skiff-test" in name)
        self.cgroups = [path for root in _hierarchies() for path in files.tree(root + prefix) if path != root + prefix]
        self.cgroups += [
            path for root in _hierarchies() for path in files.tree(root + SLICE) if path != root + SLICE and _empty(path)
        ]
        self.children = _children()

    def since(self, before: Traces) -> list[str]:
        """What is there now and was not before."""
        return [
            f"{name}: {found}"
            for name in ("mounts", "links", "netns", "cgroups", "children")
            for found in (Counter(getattr(self, name)) - Counter(getattr(before, name))).elements()
        ]


def _empty(cgroup: str) -> bool:
    """Others' containers are there too; one without a process is nobody's."""
    try:
        return not Path(cgroup, "cgroup.procs").read_text()
    except OSError:  # gone meanwhile
        return False


def _listing(path: str) -> list[str]:
    return os.listdir(path) if os.path.isdir(path) else []


def _children() -> list[str]:
    """Ours, and those that were orphaned to us; the dead ones among them are reaped first."""
    found = []
    for entry in _listing("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            name = Path(f"/proc/{entry}/comm").read_text().strip()
        except OSError:
            continue
        if fields[1] != str(os.getpid()):
            continue
        if fields[0] == "Z" and os.waitpid(int(entry), os.WNOHANG)[0]:
            continue
        found.append(f"{entry} {name}")
    return found


@pytest.fixture
def cgroup_prefix() -> Iterator[str]:
    """A cgroup below which a test makes its own, unlike any other's."""
    prefix = f"/skiff-test-{os.getpid()}-{next(_NUMBERS)}"
    yield prefix
    for root in _hierarchies():
        files.remove(root + prefix)


@pytest.fixture(autouse=True)
def nothing_left(cgroup_prefix: str) -> Iterator[None]:
    """The leak check, after every test here."""
    with leaving_nothing(cgroup_prefix, PATIENCE):
        yield


@contextlib.contextmanager
def leaving_nothing(prefix: str, patience: float) -> Iterator[None]:
    """What is done inside must be gone so many seconds after it."""
    before = Traces(prefix)
    yield
    deadline = time.monotonic() + patience
    left = Traces(prefix).since(before)
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = Traces(prefix).since(before)
    assert not left, f"the test left behind {left}"


@pytest.fixture(scope="session")
def busybox() -> Path:
    """The static program of which root file systems are made."""
    found = shutil.which("busybox", path="/bin:/usr/bin")
    if found is None:
        pytest.skip("busybox (package busybox-static) is not installed")
    return Path(found)


@pytest.fixture
def box(tmp_path: Path, cgroup_prefix: str, busybox: Path) -> Iterator[Box]:
    """A root file system, and containers on overlays of it through a launcher."""
    made = Box(tmp_path, cgroup_prefix, busybox)
    yield made
    made.close()


@pytest.fixture
def oci(box: Box, tmp_path: Path) -> Oci:
    """skiff-oci with a root of its own."""
    return Oci(box, tmp_path)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition; fails if it does not come."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)

    return wait
