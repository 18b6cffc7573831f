"""Clears away what a dead shim left: the container it kept is killed, as 137, and nothing of it stays but its exit record.

Its launcher and the daemon may both find a shim dead; the lock on the exec root's directory (flock) lets one of them clear at a
time, for two would freeze and kill the same control group, and remove it under each other.
"""

from __future__ import annotations

import fcntl
import os

from skiff.cgroup.manager import open_manager
from skiff.errors import Conflict, NotFound, suppress
from skiff.linux import processes, signals
from skiff.oci.store import Store
from skiff.shim import exit as ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def clear(exec_root: str, identity: str) -> dict[str, Any] | None:
    """The exit record if there was something to clear; Conflict if the shim lives."""
    root = os.open(exec_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(root, fcntl.LOCK_EX)
        return _clear(exec_root, identity)
    finally:
        os.close(root)


def _clear(exec_root: str, identity: str) -> dict[str, Any] | None:
    store = Store(f"{exec_root}/oci")
    try:
        state = store.load(identity)
    except NotFound:
        store.remove(identity)
        _unlink(exec_root, identity)
        return None
    if state["shim"] != os.getpid() and processes.start_time(state["shim"]) == state["shim_started"]:
        raise Conflict(f"container {identity} has a shim already")
    cgroup = open_manager(state["cgroup"])
    oom = cgroup.oom_kills() > 0
    cgroup.kill(signals.SIGKILL)
    if processes.start_time(state["pid"]) == state["started"]:
        with suppress(ProcessLookupError):
            os.kill(state["pid"], signals.SIGKILL)
    cgroup.delete()
    record = ending.load(exec_root, identity)
    if record is None:
        record = ending.document(ending.KILLED, signals.SIGKILL, oom)
        ending.save(exec_root, identity, record)
    store.remove(identity)
    _unlink(exec_root, identity)
    return record


def _unlink(exec_root: str, identity: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(f"{exec_root}/shims/{identity}.sock")
