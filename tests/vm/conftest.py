"""Virtual machines for the tests, one for each image and session.

cgroup2          a Debian with its own kernel, version 2 of control groups alone, systemd 252, this repository in /root/skiff
selinux          the same with SELinux, enforcing, every file labelled
el8              that once more, looking like release 8, with the lab's packages; it reboots
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Iterator

import pytest

from fleet.errors import FleetError
from tests.vm import image
from tests.vm.machine import Machine

PROGRAMS = ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "ssh")


@pytest.fixture(scope="session")
def vm_machine() -> None:
    """Skips where no virtual machine can be had, by the name of what is missing."""
    if os.geteuid() != 0:
        pytest.skip("an image is built as root")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)}")


@contextlib.contextmanager
def _boot(recipe: image.Recipe, directory: Path) -> Iterator[Machine]:
    try:
        built = image.obtain(recipe)
    except FleetError as error:
        pytest.fail(f"the image could not be built: {error}\n{error.details}")
    with Machine(built, directory) as machine:
        machine.install_repository()
        yield machine


@pytest.fixture(scope="session")
def cgroup2(vm_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with _boot(image.CGROUP2, tmp_path_factory.mktemp("vm")) as machine:
        yield machine


@pytest.fixture(scope="session")
def selinux(vm_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with _boot(image.SELINUX, tmp_path_factory.mktemp("vm")) as machine:
        yield machine


@pytest.fixture(scope="session")
def el8(vm_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with _boot(image.EL8, tmp_path_factory.mktemp("vm")) as machine:
        yield machine
