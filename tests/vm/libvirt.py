"""libvirt and its network in namespaces of their own, with all that they write below one directory: they go, and nothing is left.

<directory>/libvirt/{etc,lib,log,cache}     what they see as /etc/libvirt, /var/lib/libvirt ...
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Mapping

START_SECONDS = 60.0
PLACES = {"etc": "/etc/libvirt", "lib": "/var/lib/libvirt", "log": "/var/log/libvirt", "cache": "/var/cache/libvirt"}
# All inside is root's, and the machine's control groups are left alone.
QEMU = 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\ncgroup_controllers = []\nremember_owner = 0\n'
SCRIPT = """\
set -e
ip link set lo up
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
for place in "$@"; do mount --bind "${place%%:*}" "${place#*:}"; done
virtlogd -d
libvirtd &
wait  # and with it for the orphans of all others, whose init this is
"""


class Libvirt:
    """A libvirtd that runs until the block's end, with the machines that it has."""

    def __init__(self, directory: Path) -> None:
        binds = []
        for name, place in PLACES.items():
            own = directory / "libvirt" / name
            own.mkdir(parents=True)
            binds.append(f"{own}:{place}")
        (directory / "libvirt/etc/qemu.conf").write_text(QEMU)
        self._log = directory / "libvirtd.log"
        enter = ("unshare", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
        with self._log.open("wb") as log:
            argv = ["setpriv", "--pdeathsig", "KILL", *enter, "sh", "-c", SCRIPT, "libvirt", *binds]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Libvirt:
        try:
            self._await_answer()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def argv(self, *command: str) -> list[str]:
        """The command line that runs a command where this libvirtd is."""
        pid = self._process.pid
        [leader] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return ["nsenter", f"--target={leader}", "--mount", "--net", "--ipc", "--pid", "--", *command]

    def run(self, *command: str, env: Mapping[str, str] = os.environ, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command's status and output, its errors among it."""
        return subprocess.run(
            self.argv(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
            timeout=timeout,
        )

    def virsh(self, *words: str) -> list[str]:
        """The lines that virsh says."""
        done = self.run("virsh", "-q", "-c", "qemu:///system", *words)
        assert done.returncode == 0, done.stdout
        return [line for line in done.stdout.splitlines() if line.strip()]

    def close(self) -> None:
        """The end of all that runs there."""
        self._process.kill()
        self._process.wait()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)
            if self.run("virsh", "-q", "-c", "qemu:///system", "list").returncode == 0:
                return
        raise AssertionError(f"libvirtd does not answer:\n{self._log.read_text()}")
