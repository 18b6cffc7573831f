"""Real systemd hosts for the tests: one lab for the session, fresh hosts on request.

lab              two hosts, lab1 and lab2, of CentOS Stream 9; tests leave them as they found them
fresh_host       fresh_host(release="el9", python="release", personality="") boots one for this test alone
full_disk        full_disk(name, path) puts a full file system there for this test
mirror           serves docker_packages, Docker's own for release 9, through a proxy
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Callable, Iterator

import pytest

from fleet.errors import FleetError
from fleet.lab import HostSpec, HostStatus, Lab, docker, machine
from fleet.lab import lab as labs
from tests.lab.mirror import Mirror

FreshHost = Callable[..., HostStatus]
FullDisk = Callable[[str, str], None]


@pytest.fixture(scope="session")
def lab_machine() -> None:
    """Skips where no lab can be had, by the name of what is missing; takes down what killed test runs left."""
    try:
        machine.check(labs.STATE)
    except FleetError as error:
        pytest.skip(str(error))
    for left in labs.STATE.glob("labs/test-[0-9]*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            Lab(left.name).down()


@pytest.fixture(scope="session")
def lab(lab_machine: None) -> Iterator[Lab]:
    session = Lab(f"test-{os.getpid()}")
    try:
        session.up(2)
        yield session
    finally:
        session.down()


@pytest.fixture(scope="session")
def _indices() -> Iterator[int]:
    return itertools.cycle(range(50, 200))


@pytest.fixture
def fresh_host(lab: Lab, _indices: Iterator[int]) -> Iterator[FreshHost]:
    made = []

    def boot(release: str = "el9", python: str = "release", personality: str = "") -> HostStatus:
        index = next(_indices)
        spec = HostSpec(f"fresh{index}", index, release, python, personality)
        made.append(spec.name)
        return lab.boot([spec])[0]

    yield boot
    for name in made:
        lab.remove(name)


@pytest.fixture(scope="session")
def docker_packages(lab: Lab) -> Path:
    try:
        return docker.repository(labs.STATE / "cache", "el9")
    except FleetError as error:
        pytest.skip(str(error))


@pytest.fixture
def mirror(lab: Lab, docker_packages: Path) -> Iterator[Mirror]:
    address = lab.status()[0].address.rpartition(".")[0] + ".1"
    serving = Mirror(address, docker_packages)
    yield serving
    serving.close()


@pytest.fixture
def full_disk(lab: Lab) -> Iterator[FullDisk]:
    filled = []

    def fill(name: str, path: str) -> None:
        script = 'mkdir -p "$0"; mount -t tmpfs -o size=64k tmpfs "$0" && ! dd if=/dev/zero of="$0/fill" bs=4k 2>/dev/null'
        done = lab.exec(name, ["sh", "-c", script, path])
        assert done.returncode == 0, done.stderr
        filled.append((name, path))

    yield fill
    for name, path in filled:
        lab.exec(name, ["umount", path])
