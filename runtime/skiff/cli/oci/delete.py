"""skiff-oci delete: the end of a container; its cgroup, its state and its name are given back."""

from __future__ import annotations

import time

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.errors import NotFound, SkiffError
from skiff.linux import processes, signals
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store

FLAGS = {"force": options.FLAG}
PATIENCE = 10.0
PAUSE = 0.005


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    force = "force" in flags
    identity = options.one(rest)
    try:
        delete(containers, identity, force)
    except NotFound:
        if not force:
            raise
    return 0


def delete(containers: Store, identity: str, force: bool) -> None:
    """Kill what is left and remove it all; can be repeated after having been cut short."""
    with containers.lock(identity):
        state = containers.load(identity)
        if not force:
            status.require("delete", identity, state["status"])
        cgroup = open_manager(state["cgroup"])
        cgroup.kill(signals.SIGKILL)
        _await_end(state["pid"], state["started"])
        cgroup.delete()
        containers.remove(identity)


def _await_end(pid: int, started: int | None) -> None:
    deadline = time.monotonic() + PATIENCE
    while started is not None and processes.start_time(pid) == started:
        if time.monotonic() > deadline:
            raise SkiffError(f"process {pid} does not end although it was killed: it waits for the kernel; try again")
        time.sleep(PAUSE)
