"""Creates a container: its cgroup, then an init that makes the rest around itself and waits before exec."""

from __future__ import annotations

import os

from skiff.errors import InvalidInput
from skiff.linux import namespaces as ns
from skiff.linux import scheduling, signals
from skiff.linux.capabilities import NUMBERS
from skiff.oci import attendance, delegation, hooks, labels, namespaces, rootfs, seccomp, status, trees
from skiff.oci.attendance import Attendance
from skiff.oci.init import Init, InitPlan
from skiff.oci.process import ProcessPlan
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from skiff.cgroup.manager import CgroupManager
    from skiff.oci.attendance import Channels
    from skiff.oci.namespaces import NamespacePlan
    from skiff.spec.types import Mount, Spec


class Created:
    """An init that stands before exec; `report` tells the end of exec, `gate` opens it."""

    __slots__ = ("gate", "pid", "report")

    def __init__(self, pid: int, report: int, gate: int) -> None:
        self.pid, self.report, self.gate = pid, report, gate


class Surroundings:
    """What is around a container and not in its bundle.

    `mounts` make its root; `dies_with_parent`: whether init is killed when its parent ends, which is ours if it is to be our
    `sibling`; `console` is a connected socket for the terminal, -1 for none; `preserved` descriptors from 3 on pass exec; `store`
    keeps compiled filters; `meanwhile` is called while init makes what is around itself.
    """

    __slots__ = (
        "cgroup", "console", "dies_with_parent", "identity", "keyring", "meanwhile", "mounts", "no_pivot", "preserved", "sibling",
        "stdio", "store",
    )  # fmt: skip

    def __init__(self, identity: str, store: str, cgroup: CgroupManager) -> None:
        self.identity, self.store, self.cgroup = identity, store, cgroup
        self.mounts: list[Mount] = []
        self.stdio = (0, 1, 2)
        self.dies_with_parent = self.sibling = False
        self.console = -1
        self.preserved = 0
        self.no_pivot = False
        self.keyring = True
        self.meanwhile: Callable[[], None] | None = None


def create(spec: Spec, bundle: str, around: Surroundings, channels: Channels) -> Created:
    """Make the container; on an error (CreateError and other SkiffErrors) nothing is left of it, the channels included."""
    cgroup = around.cgroup
    plan: InitPlan | None = None
    attending: Attendance | None = None
    try:
        cgroup.create((spec.get("linux") or {}).get("resources") or {})
    except BaseException:
        # It has undone what it did; what was there before, another's processes in it, stays.
        channels.close()
        raise
    try:
        given_to = delegation.owner(spec)
        if given_to is not None:
            cgroup.delegate(given_to)
        plan = _plan(spec, bundle, around)
        attending = _attendance(spec, plan, channels, hook_state(spec, around.identity, bundle))
        attending.begin(lambda: Init(plan, channels.write, channels.inner))
        if around.meanwhile is not None:
            around.meanwhile()
        attending.until_ready()
    except BaseException:
        _abandon(attending, cgroup, channels)
        raise
    finally:
        cgroup.entered()
        if attending is not None and attending.listener is not None:
            attending.listener.close()
        if plan is not None:
            _close(plan)
    os.close(channels.inner)
    return Created(attending.pid, channels.read, channels.outer)


def _abandon(attending: Attendance | None, cgroup: CgroupManager, channels: Channels) -> None:
    channels.close()
    if attending is not None:
        attending.abandon()
        cgroup.kill(signals.SIGKILL)  # one that had not told its number yet
    cgroup.delete()


def _close(plan: InitPlan) -> None:
    plan.namespaces.close()
    trees.close_all(plan.trees)
    if plan.hook_output >= 0:
        os.close(plan.hook_output)


def _plan(spec: Spec, bundle: str, around: Surroundings) -> InitPlan:
    cgroup = around.cgroup
    linux = spec.get("linux") or {}
    if linux.get("mountLabel"):
        labels.require_selinux("linux.mountLabel")
    planned = namespaces.of_spec(spec)
    try:
        process = process_plan(spec, around, planned)
        own_view = bool(planned.made & ns.CLONE_NEWCGROUP) or any(kind == ns.CLONE_NEWCGROUP for _, kind in planned.joined)
        circumstances = rootfs.Circumstances(around.mounts, cgroup.views(own_view), users=planned.users, no_pivot=around.no_pivot)
        root = rootfs.plan(spec, bundle, circumstances)
        if not os.path.isdir(root.path):
            raise InvalidInput(f"root.path: {os.fsdecode(root.path)}: no such directory")
        plan = InitPlan(planned, process, cgroup.entrances(), root)
        plan.trees = trees.open_all(root, planned)
    except BaseException:
        planned.close()
        raise
    plan.stdio, plan.dies_with_parent, plan.console = around.stdio, around.dies_with_parent, around.console
    plan.preserved, plan.sibling = around.preserved, around.sibling
    plan.hostname, plan.domainname = os.fsencode(spec.get("hostname") or ""), os.fsencode(spec.get("domainname") or "")
    _plan_hooks(spec, plan, hook_state(spec, around.identity, bundle))
    return plan


def process_plan(spec: Spec, around: Surroundings, planned: NamespacePlan) -> ProcessPlan:
    """The first process, with what the whole container's configuration adds to it."""
    linux = spec.get("linux") or {}
    process = ProcessPlan(spec["process"], all_capabilities=planned.users)
    if process.terminal and around.console < 0:
        raise InvalidInput("process.terminal: there is nobody to take the terminal: set it to false")
    if not around.cgroup.confines_devices and not planned.users:
        # A node made by the container itself would open the host's disk.
        without = ~(1 << NUMBERS["CAP_MKNOD"])
        for name in ("bounding", "effective", "permitted", "inheritable", "ambient"):
            setattr(process, name, getattr(process, name) & without)
    if linux.get("seccomp"):
        process.filter = seccomp.load(linux["seccomp"], around.store)
    if linux.get("personality"):
        process.personality = scheduling.DOMAINS[linux["personality"]["domain"]]
    if around.keyring:
        process.keyring = b"_ses." + os.fsencode(around.identity)
    return process


def _plan_hooks(spec: Spec, plan: InitPlan, state: dict[str, Any]) -> None:
    wanted = spec.get("hooks") or {}
    plan.outer_hooks = bool(wanted.get("prestart") or wanted.get("createRuntime"))
    plan.create_hooks = hooks.plan(wanted.get("createContainer"), plan.process.env)
    # The same dictionary: by then it has the user's HOME.
    plan.start_hooks = hooks.plan(wanted.get("startContainer"), plan.process.env)
    if plan.create_hooks or plan.start_hooks:
        plan.hook_output = os.memfd_create("output", os.MFD_CLOEXEC)
        rest = jsontext.dumps(state)[:-1].encode().replace(b"%", b"%%")
        plan.state = rest + b', "pid": %d, "status": "%s"}'


def hook_state(spec: Spec, identity: str, bundle: str) -> dict[str, Any]:
    """A container's state as the specification has it, but for its process and its status."""
    return {
        "ociVersion": spec["ociVersion"],
        "id": identity,
        "bundle": bundle,
        "annotations": spec.get("annotations") or {},
    }


def _attendance(spec: Spec, plan: InitPlan, channels: Channels, state: dict[str, Any]) -> Attendance:
    attending = Attendance(plan, channels)
    wanted = spec.get("hooks") or {}

    def run_hooks(pid: int) -> None:
        told = jsontext.dumps({**state, "pid": pid, "status": status.CREATING}).encode()
        hooks.run_all("prestart", hooks.plan_outer(wanted.get("prestart")), told, state["bundle"])
        hooks.run_all("createRuntime", hooks.plan_outer(wanted.get("createRuntime")), told, state["bundle"])

    attending.run_hooks = run_hooks
    if plan.process.filter is not None and plan.process.filter.notifies:
        from skiff.oci.listener import Listener  # for a profile that asks somebody alone

        attending.listener = Listener((spec.get("linux") or {})["seccomp"], {**state, "status": status.CREATING})
    return attending


def open_gate(created: Created, program: str) -> None:
    """Let init exec; CreateError if the kernel refuses the program."""
    os.write(created.gate, b"\0")
    os.close(created.gate)
    attendance.await_exec(created.report, program)
