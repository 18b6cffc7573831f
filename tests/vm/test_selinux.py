"""The machine with SELinux is what it says: enforcing, with labelled files."""

from __future__ import annotations

from tests.vm.machine import Machine


def test_it_enforces_and_files_are_labelled(selinux: Machine) -> None:
    said = selinux.run("getenforce; ls -Z /etc/passwd /usr/bin/bash")
    assert said.stdout.decode().split() == [
        "Enforcing", "system_u:object_r:etc_t:s0", "/etc/passwd", "system_u:object_r:shell_exec_t:s0", "/usr/bin/bash",
    ]  # fmt: skip
