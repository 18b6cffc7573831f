"""Starts a further process in a container, up to the moment when its program runs."""

from __future__ import annotations

import os

from skiff.errors import Conflict
from skiff.linux import processes, scheduling
from skiff.oci import joining, seccomp, status
from skiff.oci.attendance import Attendance, Channels
from skiff.oci.create import hook_state
from skiff.oci.listener import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.joining import JoiningPlan
    from skiff.spec.types import Process, Spec


class Execution:
    """`state` is the container's as the store has it, `spec` what it was made from, `store` keeps compiled filters.

    `cgroups` are the files to enter; `stdio`, `console`, `preserved`, `sibling` and `dies_with_parent` are as in
    create.Surroundings.
    """

    __slots__ = (
        "cgroups", "console", "dies_with_parent", "preserved", "process", "sibling", "spec", "state", "stdio", "store",
    )  # fmt: skip

    def __init__(self, state: dict[str, Any], spec: Spec, process: Process, cgroups: list[str], store: str) -> None:
        self.state, self.spec, self.process, self.cgroups, self.store = state, spec, process, cgroups, store
        self.stdio = (0, 1, 2)
        self.console = -1
        self.preserved = 0
        self.sibling = self.dies_with_parent = False

    def start(self) -> Attendance:
        """Its `pid` runs the program; Conflict if the container has ended, CreateError for what the kernel refuses."""
        plan = joining.plan(self.state["pid"], self.process, self.cgroups)
        attending = Attendance(plan, Channels.pipes())
        try:
            if processes.start_time(self.state["pid"]) != self.state["started"]:
                raise Conflict("cannot exec in a stopped container")
            self._complete(plan, attending)
            attending.begin(lambda: joining.Joining(plan, attending.channels.write, attending.channels.inner))
            attending.until_ready()
            attending.until_exec()
        except BaseException:
            attending.abandon()
            raise
        finally:
            plan.close()
            if attending.listener is not None:
                attending.listener.close()
        return attending

    def _complete(self, plan: JoiningPlan, attending: Attendance) -> None:
        """What is the container's or the caller's, and not the process's own."""
        linux = self.spec.get("linux") or {}
        plan.stdio, plan.console, plan.preserved = self.stdio, self.console, self.preserved
        plan.sibling, plan.dies_with_parent = self.sibling, self.dies_with_parent
        plan.process.keyring = b"_ses." + os.fsencode(self.state["id"])
        if linux.get("personality"):
            plan.process.personality = scheduling.DOMAINS[linux["personality"]["domain"]]
        profile = linux.get("seccomp")
        if profile:
            plan.process.filter = seccomp.load(profile, self.store)
            if plan.process.filter.notifies:
                state = hook_state(self.spec, self.state["id"], self.state["bundle"])
                attending.listener = Listener(profile, {**state, "status": status.RUNNING})


def require_alive(state: dict[str, Any], *, paused_too: bool = False) -> None:
    """Conflict where no process can be started."""
    if state["status"] == status.PAUSED and not paused_too:
        raise Conflict("cannot exec in a paused container: resume it first, or give --ignore-paused")
    if state["status"] not in (status.CREATED, status.RUNNING, status.PAUSED):
        raise Conflict(f"cannot exec in a container that is {state['status']}")
