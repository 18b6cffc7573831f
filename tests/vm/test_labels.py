"""Containers confined by AppArmor and by SELinux: the repository's own root tests, run inside kernels that have them."""

from __future__ import annotations

from tests.vm.machine import Machine


def test_apparmor(cgroup2: Machine) -> None:
    done = cgroup2.pytest("tests/root/test_apparmor.py")
    assert done.returncode == 0, done.stdout.decode(errors="replace")


def test_selinux(selinux: Machine) -> None:
    done = selinux.pytest("tests/root/test_selinux.py")
    assert done.returncode == 0, done.stdout.decode(errors="replace")
