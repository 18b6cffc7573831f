"""Virtual machines for the tests, one after the other; tests in a file that share one stand together.

cgroup2          a Debian with its own kernel, version 2 of control groups alone, systemd 252, this repository in /root/skiff
selinux          the same with SELinux, enforcing, every file labelled
el8              that once more, looking like release 8, with the lab's packages; it reboots
"""

from __future__ import annotations

import os
import shutil
from typing import Dict, Iterator

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


class Machines:
    """At most one runs: emulated, two would be three times as slow."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: Dict[image.Recipe, Machine] = {}

    def of(self, recipe: image.Recipe) -> Machine:
        """The one of a recipe, which runs already or takes the place of another."""
        if recipe not in self._running:
            self.close()
            try:
                built = image.obtain(recipe)
            except FleetError as error:
                pytest.fail(f"the image could not be built: {error}\n{error.details}")
            self._start(recipe, Machine(built, self._factory.mktemp("vm")))
        return self._running[recipe]

    def _start(self, recipe: image.Recipe, machine: Machine) -> None:
        try:
            machine.await_login()
            machine.install_repository()
        except BaseException:
            machine.close()
            raise
        self._running[recipe] = machine

    def close(self) -> None:
        while self._running:
            self._running.popitem()[1].close()


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    found = Machines(tmp_path_factory)
    yield found
    found.close()


@pytest.fixture(scope="module")
def cgroup2(vm_machine: None, machines: Machines) -> Machine:
    return machines.of(image.CGROUP2)


@pytest.fixture(scope="module")
def selinux(vm_machine: None, machines: Machines) -> Machine:
    return machines.of(image.SELINUX)


@pytest.fixture(scope="module")
def el8(vm_machine: None, machines: Machines) -> Machine:
    return machines.of(image.EL8)
