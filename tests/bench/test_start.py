"""Containers of a static program beside runc's and crun's, with Docker's default profile and capabilities on all sides.

Prints figures; asserts only that all did the work. Sides take turns, and a ratio is taken within a turn.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set

import pytest

from fleet.bundle import ROOT, build
from fleet.content import Content
from fleet.resources import Archive
from skiff.cgroup import files
from skiff.cgroup.hierarchy import discover
from skiff.linux import mounts, namespaces
from skiff.spec.seccomp_profile import default_profile
from tests.bench.pairs import compare, timed
from tests.root.box import Box, Container
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import wire

BUSYBOX = Path("/bin/busybox")
PEERS = ("runc", "crun")
ALIVE = 200
LIMITS = (("RLIMIT_NOFILE", 4096), ("RLIMIT_NPROC", 65536), ("RLIMIT_CORE", 0))


class Runtime:
    """One command line on a root and a bundle of its own; the bundle's root is the box's own files."""

    def __init__(self, box: Box, program: str, *arguments: str) -> None:
        self.name = Path(program).name
        self._command = [program, "--root", str(box.path / f"root-{self.name}")]
        self._bundle = box.path / f"bundle-{self.name}"
        self._bundle.mkdir()
        spec = dockers(box, *arguments)
        spec["ociVersion"] = "1.0.2"  # crun 1.8 refuses later ones
        spec["root"] = {"path": str(box.rootfs), "readonly": True}
        spec["linux"]["cgroupsPath"] = f"{box.prefix}/{self.name}"
        (self._bundle / "config.json").write_text(json.dumps(spec))

    def __call__(self, command: str, *arguments: str) -> None:
        """Without output, and CalledProcessError where it fails."""
        environment = {**os.environ, "SKIFF_PYTHON": sys.executable}
        argv = [*self._command, command, *arguments]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)

    def run(self) -> None:
        """From nothing to nothing."""
        self("run", "--bundle", str(self._bundle), "bench")

    def start(self) -> None:
        self("run", "--detach", "--bundle", str(self._bundle), "bench")

    def step_by_step(self) -> None:
        """As an engine has it done, each step by a command; the last does not even wait for the program's end."""
        self("create", "--bundle", str(self._bundle), "bench")
        self("start", "bench")
        self.delete()

    def exec(self) -> None:
        self("exec", "bench", "/bin/true")

    def delete(self) -> None:
        self("delete", "--force", "bench")


def dockers(box: Box, *arguments: str) -> Dict[str, Any]:
    """What skiffd writes for a container without options, as far as it costs time."""
    spec: Dict[str, Any] = box.spec(*arguments)
    spec["process"]["terminal"] = False
    spec["process"]["rlimits"] = [{"type": name, "soft": limit, "hard": limit} for name, limit in LIMITS]
    spec["linux"]["seccomp"] = default_profile(spec["process"]["capabilities"]["bounding"])
    return spec


@pytest.fixture(scope="module")
def skiff_oci(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command as a host has it: of the bundle, unpacked and compiled by the agent."""
    folder, place = tmp_path_factory.mktemp("deployed"), tmp_path_factory.mktemp("state")
    told = wire(Archive(str(folder / "skiff"), Content.of(build(ROOT)), compile_with=sys.executable))
    Session(place).apply([told])
    return str(folder / "skiff/bin/skiff-oci")


@pytest.fixture(params=["as mounted", "version 1 alone"])
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Box]:
    """In the hybrid layout a second time without its unified tree, which crun refuses to see; for all sides alike."""
    with contextlib.ExitStack() as layout:
        if request.param == "version 1 alone":
            layout.enter_context(version_one_alone())
        sys.stdout.write(f"\ncontrol groups: {request.param}\n")
        made = Box(tmp_path, "/skiff-bench", BUSYBOX)
        yield made
        made.close()
    for hierarchy in Path("/sys/fs/cgroup").glob("*/skiff-bench"):
        files.remove(str(hierarchy))


@contextlib.contextmanager
def version_one_alone() -> Iterator[None]:
    """In a mount namespace of our own, in which what we start is too."""
    layout = discover()
    if not layout.controllers or not layout.unified:
        pytest.skip("the layout of control groups is not hybrid")
    before, cwd = os.open("/proc/self/ns/mnt", os.O_RDONLY), os.getcwd()
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.mount(None, b"/", None, mounts.MS_PRIVATE | mounts.MS_REC)
    mounts.unmount(os.fsencode(layout.unified), mounts.MNT_DETACH)
    mounts.mount(b"tmpfs", os.fsencode(layout.unified), b"tmpfs", 0)  # crun leaves files below it
    try:
        yield
    finally:
        namespaces.setns(before, namespaces.CLONE_NEWNS)
        os.close(before)
        os.chdir(cwd)


def peers(box: Box, *arguments: str) -> List[Runtime]:
    """Those that are here and run here."""
    found = []
    for name in PEERS:
        program = shutil.which(name)
        if program is None:
            continue
        runtime = Runtime(box, program, *arguments)
        try:
            runtime.start()
            runtime.delete()
        except subprocess.CalledProcessError:
            sys.stdout.write(f"{name} does not run here, and is left out\n")
        else:
            found.append(runtime)
    if not found:
        pytest.skip("no peer runs here: install runc")
    return found


def test_a_program_that_ends_at_once(box: Box, skiff_oci: str, capsys: pytest.CaptureFixture[str]) -> None:
    own = Runtime(box, skiff_oci, "/bin/true")

    def warm() -> None:
        container = box.create(dockers(box, "/bin/true"))
        assert container.run()["code"] == 0
        container.ask("delete")

    with capsys.disabled():
        sys.stdout.write("\n")
        for peer in peers(box, "/bin/true"):
            sys.stdout.write(compare(f"skiff-oci run, {peer.name} run", own.run, peer.run) + "\n")
            sys.stdout.write(compare(f"launcher's create, start, wait, delete, {peer.name} run", warm, peer.run) + "\n")
            sys.stdout.write(compare(f"the same, {peer.name} create, start, delete", warm, peer.step_by_step) + "\n")


def test_a_program_in_a_container_that_runs(box: Box, skiff_oci: str, capsys: pytest.CaptureFixture[str]) -> None:
    own = Runtime(box, skiff_oci, "/bin/sleep", "1000")
    container = box.create(dockers(box, "/bin/sleep", "1000"))
    container.ask("start")
    with capsys.disabled():
        sys.stdout.write("\n")
        for peer in peers(box, "/bin/sleep", "1000"):
            for runtime in (own, peer):
                runtime.start()
            try:
                sys.stdout.write(compare(f"skiff-oci exec, {peer.name} exec", own.exec, peer.exec) + "\n")
                sys.stdout.write(compare(f"shim's exec, {peer.name} exec", lambda: container.exec("/bin/true"), peer.exec) + "\n")
            finally:
                for runtime in (own, peer):
                    runtime.delete()


def test_many_containers_alive(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    """The median of ten starts at either end; memory as the kernel shares it out among those who hold it."""
    containers: List[Container] = []

    def start() -> None:
        container = box.create(dockers(box, "/bin/sleep", "1000"), f"c{len(containers)}")
        container.ask("start")
        containers.append(container)

    start()  # compiles the filter
    times = [timed(start) for _ in range(ALIVE - 1)]
    first, last = statistics.median(times[:10]), statistics.median(times[-10:])
    launcher = parent(containers[0].shim_pid)
    processes = [launcher, *descendants(launcher, {container.pid for container in containers})]
    size = sum(proportional(pid) for pid in processes) / ALIVE / 1024
    with capsys.disabled():
        sys.stdout.write(f"\n{ALIVE} alive: first starts {first:.1f} ms, last {last:.1f} ms, ratio {last / first:.2f}\n")
        sys.stdout.write(f"launcher, shims and what waits: {size:.2f} MB of proportional set size for each container\n")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def descendants(pid: int, without: Set[int]) -> List[int]:
    """All but the containers: what waits for the next one as well."""
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    found = [child for child in children if child not in without]
    return found + [below for child in found for below in descendants(child, without)]


def proportional(pid: int) -> int:
    """In kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
