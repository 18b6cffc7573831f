"""Version 2 of control groups on a kernel that has nothing else: the repository's own root tests, run inside."""

from __future__ import annotations

import pytest

from tests.vm.machine import Machine

SUITES = (
    ("tests/root/test_cgroup.py",),
    ("tests/root/test_scope.py",),
    ("tests/root/test_oci_cgroups.py", "-k", "not but_for_tun"),  # version 2 has no list of devices to compare
    ("tests/root/test_limits.py",),
)
CONTROLLERS = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"}


def test_the_machine_has_version_2_alone(cgroup2: Machine) -> None:
    said = cgroup2.run("cat /sys/fs/cgroup/cgroup.controllers; grep -c ' cgroup2\\? ' /proc/self/mounts; cat /proc/self/cgroup")
    controllers, mounts, own = said.stdout.decode().splitlines()
    assert set(controllers.split()) == CONTROLLERS
    assert (mounts, own[:4]) == ("1", "0::/")


@pytest.mark.parametrize("suite", SUITES, ids=[suite[0] for suite in SUITES])
def test_inside(cgroup2: Machine, suite: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    done = cgroup2.pytest(*suite)
    output = done.stdout.decode(errors="replace")
    with capsys.disabled():
        print(f"\n{suite[0]} in the machine: {output.strip().splitlines()[-1]}")  # noqa: T201  # also of a run that passes
    assert done.returncode == 0, output


def test_nothing_is_left_inside(cgroup2: Machine) -> None:
    """Last, by its place in this file: no scope, no group."""
    said = cgroup2.run("systemctl list-units --all --no-legend '*skiff*'; find /sys/fs/cgroup -name '*skiff-test*'")
    assert said.stdout.decode() == ""
