"""Containers confined by AppArmor and by SELinux: the repository's own root tests, run inside kernels that have them."""

from __future__ import annotations

from tests.vm.machine import Machine


def test_apparmor(cgroup2: Machine) -> None:
    done = cgroup2.pytest("tests/root/test_apparmor.py")
    assert done.returncode == 0, done.stdout.decode(errors="replace")


def test_it_enforces_and_files_are_labelled(selinux: Machine) -> None:
    """The machine is what it says."""
    said = selinux.run("getenforce; ls -Z /etc/passwd /usr/bin/bash")
    assert said.stdout.decode().split() == [
        "Enforcing", "system_u:object_r:etc_t:s0", "/etc/passwd", "system_u:object_r:shell_exec_t:s0", "/usr/bin/bash",
    ]  # fmt: skip


def test_selinux(selinux: Machine) -> None:
    done = selinux.pytest("tests/root/test_selinux.py")
    assert done.returncode == 0, done.stdout.decode(errors="replace")
