"""skiff-oci delete: the end of a container; its cgroup, its state and its name are given back."""

from __future__ import annotations

import os
import time

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.cli.oci.log import LOG
from skiff.cli.oci.state import specified
from skiff.errors import NotFound, SkiffError, suppress
from skiff.linux import processes, signals
from skiff.oci import hooks, status
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.hooks import PlannedHook
    from skiff.oci.store import Store
    from skiff.spec.types import Spec

FLAGS = {"force": options.FLAG, "f": "=force"}
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
        state = _load(containers, identity)
        if not force:
            status.require("delete", identity, state["status"])
        spec = containers.load_spec(identity)
        cgroup = open_manager(state["cgroup"])
        cgroup.kill(signals.SIGKILL)
        if state["started"] is not None and processes.start_time(state["pid"]) == state["started"]:
            with suppress(ProcessLookupError):
                os.kill(state["pid"], signals.SIGKILL)
        _await_end(state["pid"], state["started"])
        cgroup.delete()
        containers.remove(identity)
    poststop(spec, state)


def _load(containers: Store, identity: str) -> dict[str, Any]:
    """One that holds its name and nothing else was cut short: whoever made or removed it would have the lock."""
    try:
        return containers.load(identity)
    except NotFound:
        containers.remove(identity)
        raise


def poststop(spec: Spec, state: dict[str, Any]) -> None:
    """A container that is gone cannot be kept back by its hooks: each that fails is told, and the next one runs."""
    told = jsontext.dumps(specified({**state, "status": status.STOPPED})).encode()
    for hook in hooks.plan_outer((spec.get("hooks") or {}).get("poststop")):
        _run(hook, told, state["bundle"])


def _run(hook: PlannedHook, told: bytes, bundle: str) -> None:
    try:
        hooks.run_all("poststop", [hook], told, bundle)
    except SkiffError as error:
        LOG.warning(str(error))


def _await_end(pid: int, started: int | None) -> None:
    deadline = time.monotonic() + PATIENCE
    while started is not None and processes.start_time(pid) == started:
        if time.monotonic() > deadline:
            raise SkiffError(f"process {pid} does not end although it was killed: it waits for the kernel; try again")
        time.sleep(PAUSE)
