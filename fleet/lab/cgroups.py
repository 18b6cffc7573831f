"""A host's cgroups: the root of what its systemd sees, and the one sure way to find and end all its processes.

    <hierarchy>/skiff-lab/<number>/<host>     in every v1 hierarchy, in systemd's and in the unified one

Each hierarchy that is mounted is used: on a hybrid machine v1's and the empty unified one, on a v2 machine that one alone,
with its controllers handed down level by level. Under a systemd that owns a v2 tree, the subtree is delegated by a scope
that the host's starter is put in, as systemd asks; there the path is /sys/fs/cgroup/machine.slice/<scope>.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import List, Set

from fleet.errors import FleetError
from fleet.lab import mounts

TOP = "skiff-lab"
SLICE = "machine.slice"
KILL_SECONDS = 20.0
# A lab is one group among the machine's many processes; at the default weight its hosts would starve beside them.
SHARES = "10240"


class Cgroups:
    """The cgroups of one host."""

    def __init__(self, number: int, host: str) -> None:
        self.path = f"{TOP}/{number}/{host}"
        self.scope = f"{TOP}-{number}-{host}.scope"
        mounted = mounts.current()
        self.v1 = [Path(mount.target) for mount in mounted if mount.kind == "cgroup" and mount.target.startswith("/sys/fs/cgroup")]
        self.v2 = [Path(mount.target) for mount in mounted if mount.kind == "cgroup2" and mount.target.startswith("/sys/fs/cgroup")]
        self.scoped = not self.v1 and Path("/run/systemd/system").is_dir()

    def prefix(self) -> List[str]:
        """The command words that put what follows them into the host's cgroups, which `make` has made.

        Standard input stays as given until then: a lock that the caller passes there is held until the host can be found.
        """
        if self.scoped:
            scope = ["--scope", "--collect", f"--unit={self.scope}", f"--slice={SLICE}", "--property=Delegate=yes"]
            return ["systemd-run", "--quiet", *scope, "sh", "-c", 'exec "$@" </dev/null', "enter-scope"]
        files = [str(directory / "cgroup.procs") for directory in self.directories()]
        enter = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 96; shift; done; shift; exec "$@" </dev/null'
        return ["sh", "-c", enter, "enter-cgroups", *files, "--"]

    def directories(self) -> List[Path]:
        """The host's directory in each hierarchy, whether it exists or not."""
        if self.scoped:
            return [root / SLICE / self.scope for root in self.v2]
        return [root / self.path for root in (*self.v1, *self.v2)]

    def make(self) -> None:
        """Makes the directories, level by level, each with what its children need.

        Raises:
            FleetError: others take them away again and again.
        """
        end = time.monotonic() + KILL_SECONDS
        while not self.scoped and not self._made():
            if time.monotonic() > end:
                raise FleetError(f"The control groups of {self.path} do not stay.")
            time.sleep(0.02)

    def _made(self) -> bool:
        """False where a host that ended took a level that was still empty away meanwhile."""
        try:
            self._make()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return False
            raise
        return True

    def _make(self) -> None:
        for root in (*self.v1, *self.v2):
            level = root
            for part in self.path.split("/"):
                if root in self.v2:
                    _hand_down(level)
                level = level / part
                level.mkdir(exist_ok=True)
                if (level / "cpuset.cpus").exists() and root in self.v1:
                    _copy_cpuset(level)
            shares = root / TOP / "cpu.shares"
            if shares.exists():
                shares.write_text(SHARES)

    def pids(self) -> List[int]:
        """Every process of the host, the one that starts it included."""
        found: Set[int] = set()
        for directory in self.directories():
            for level, _, _ in os.walk(directory):  # unlike rglob it takes it well when a group goes away meanwhile
                with suppress(OSError):
                    found.update(int(word) for word in Path(level, "cgroup.procs").read_text().split())
        return sorted(found - {0})

    def kill(self) -> None:
        """Ends every process of the host at once.

        Raises:
            FleetError: some do not die.
        """
        end = time.monotonic() + KILL_SECONDS
        while pids := self.pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                raise FleetError(f"Processes of {self.path} do not die: {pids}.")
            time.sleep(0.02)

    def remove(self) -> None:
        """Removes the directories, and those above that no other host needs."""
        for directory in self.directories():
            for level, _, _ in os.walk(directory, topdown=False):
                _rmdir(Path(level))
            if not self.scoped:
                _rmdir(directory.parent)
                _rmdir(directory.parent.parent)


def _rmdir(path: Path) -> None:
    if path.is_dir():
        with suppress(OSError):  # another lab's or host's is in it
            path.rmdir()


def _copy_cpuset(level: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = level / name
        if not file.read_text().strip():
            file.write_text((level.parent / name).read_text())
    (level / "cgroup.clone_children").write_text("1")


def _hand_down(level: Path) -> None:
    """Enables for the children each controller that the kernel lets us enable there."""
    for controller in (level / "cgroup.controllers").read_text().split():
        with suppress(OSError):  # held by a v1 hierarchy, or by processes beside us
            (level / "cgroup.subtree_control").write_text(f"+{controller}")
