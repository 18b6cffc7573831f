"""systemd's driver on version 1 in its hybrid layout, as CentOS Stream 8 has it: the root tests, run on a host of the lab.

The host is a Debian, whose own Python is new enough for the test runner.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleet.lab import Lab
from tests import parcel
from tests.lab.conftest import FreshHost

SCOPE, GROUP = ("tests/root/test_scope.py",), ("tests/root/test_cgroup.py", "-k", "systemd")


@pytest.mark.parametrize("arguments", [SCOPE, GROUP], ids=["scope", "group"])
def test_on_a_host(lab: Lab, fresh_host: FreshHost, arguments: tuple[str, ...]) -> None:
    host = fresh_host("debian")
    ssh = lab.ssh_argv(host.name)
    install = "cat > /usr/bin/busybox && chmod 755 /usr/bin/busybox"
    for command, data in ((install, Path("/bin/busybox").read_bytes()), ("tar -xzf - -C /root", parcel.pack())):
        subprocess.run([*ssh, command], input=data, check=True, timeout=120)
    done = subprocess.run([*ssh, parcel.command("/root", *arguments)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
