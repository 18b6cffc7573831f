"""Creates a container: its cgroup, then an init that makes the rest around itself and waits before exec."""

from __future__ import annotations

import errno
import os

from skiff.linux import namespaces as ns
from skiff.linux import signals
from skiff.linux.capabilities import NUMBERS
from skiff.oci import command, failure, rootfs
from skiff.oci.init import Init, InitPlan
from skiff.oci.namespaces import NamespacePlan
from skiff.oci.process import ProcessPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.manager import CgroupManager
    from skiff.spec.types import Mount, Spec


class Created:
    """An init that stands before exec; `report` tells the end of exec, `gate` opens it."""

    __slots__ = ("gate", "pid", "report")

    def __init__(self, pid: int, report: int, gate: int) -> None:
        self.pid, self.report, self.gate = pid, report, gate


class Channels:
    """The gate's end that init reads and the one that opens it (-1 if another process will), the report's two ends."""

    __slots__ = ("inner", "outer", "read", "write")

    def __init__(self, gate: tuple[int, int], report: tuple[int, int]) -> None:
        self.inner, self.outer = gate
        self.read, self.write = report


class Surroundings:
    """What is around a container and not in its bundle: mounts that make its root, its cgroup, its standard streams.

    `dies_with_parent`: whether init is killed when the process that made it ends.
    """

    __slots__ = ("cgroup", "dies_with_parent", "mounts", "stdio")

    def __init__(self, cgroup: CgroupManager, mounts: list[Mount], stdio: tuple[int, int, int], dies_with_parent: bool) -> None:
        self.cgroup, self.mounts, self.stdio, self.dies_with_parent = cgroup, mounts, stdio, dies_with_parent


def create(spec: Spec, bundle: str, around: Surroundings, channels: Channels) -> Created:
    """Make the container; on an error (CreateError and other SkiffErrors) nothing is left of it, the channels included."""
    plan = None
    pid = -1
    cgroup = around.cgroup
    try:
        cgroup.create((spec.get("linux") or {}).get("resources") or {})
    except BaseException:
        # It has undone what it did; what was there before, another's processes in it, stays.
        _close(channels)
        raise
    try:
        plan = _plan(spec, bundle, around)
        pid = _fork(plan, channels)
        os.close(channels.write)
        channels.write = -1
        _await_ready(channels.read, plan)
    except BaseException:
        _abandon(pid, cgroup, channels)
        raise
    finally:
        cgroup.entered()
        if plan is not None:
            plan.namespaces.close()
    os.close(channels.inner)
    return Created(pid, channels.read, channels.outer)


def _plan(spec: Spec, bundle: str, around: Surroundings) -> InitPlan:
    cgroup = around.cgroup
    process = ProcessPlan(spec["process"])
    if not cgroup.confines_devices:
        # A node made by the container itself would open the host's disk.
        without = ~(1 << NUMBERS["CAP_MKNOD"])
        for name in ("bounding", "effective", "permitted", "inheritable", "ambient"):
            setattr(process, name, getattr(process, name) & without)
    namespaces = NamespacePlan(spec)
    own_view = bool(namespaces.made & ns.CLONE_NEWCGROUP)
    root = rootfs.plan(spec, bundle, around.mounts, cgroup.views(own_view))
    return InitPlan(namespaces, root, process, spec.get("hostname") or "", cgroup.entrances(), around)


def _fork(plan: InitPlan, channels: Channels) -> int:
    """The pid namespace is that of the next child, so it is changed around the fork and back."""
    pids = plan.namespaces
    if pids.new_pid:
        ns.unshare(ns.CLONE_NEWPID)
    elif pids.pid >= 0:
        ns.setns(pids.pid, ns.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        Init(plan, channels.write, channels.inner).run()
    if pids.new_pid or pids.pid >= 0:
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        ns.setns(own, ns.CLONE_NEWPID)
        os.close(own)
    return pid


def _await_ready(report: int, plan: InitPlan) -> None:
    data = os.read(report, failure.SIZE)
    if len(data) < failure.SIZE:
        raise failure.CreateError("init", 0, "the container's init died while it was set up: it may have been out of memory")
    step, number, index = failure.unpack(data)
    if step != failure.READY:
        raise explain(plan, step, number, index)


def _close(channels: Channels) -> None:
    for fd in (channels.inner, channels.outer, channels.read, channels.write):
        if fd >= 0:
            os.close(fd)


def _abandon(pid: int, cgroup: CgroupManager, channels: Channels) -> None:
    _close(channels)
    if pid > 0:
        os.kill(pid, signals.SIGKILL)
        os.waitpid(pid, 0)
    cgroup.delete()


def explain(plan: InitPlan, step: int, number: int, index: int) -> failure.CreateError:
    """Init's numbers as an error for a person."""
    process = plan.process
    words = failure.describe(number) if number < failure.NOT_IN_PATH else "an internal error"
    name = failure.NAMES[step]
    if step == failure.COMMAND:
        text = command.message(os.fsdecode(process.args[0]), number)
        number = errno.ENOENT if number == failure.NOT_IN_PATH else errno.EACCES if number == failure.IS_DIRECTORY else number
    elif step == failure.ROOTFS:
        operations = plan.rootfs.operations()
        what = str(operations[index]) if index < len(operations) else "enter the root"
        text = f"error mounting the root: {what}: {words}"
    elif number == failure.NO_SUCH_USER:
        text = f"unable to find user {os.fsdecode(process.username.partition(b':')[0])}: no matching entries in passwd file"
    elif number == failure.NO_SUCH_GROUP:
        text = f"unable to find group {os.fsdecode(process.username.partition(b':')[2])}: no matching entries in group file"
    elif step == failure.CWD:
        text = f'chdir to cwd ("{os.fsdecode(process.cwd)}") set in config.json failed: {words}'
    elif step == failure.LIMITS and index < len(process.rlimits):
        text = f"error setting rlimits for {process.rlimits[index][0]}: {words}"
    else:
        text = f"could not set up {name}: {words}"
    return failure.CreateError(name, number if number < failure.NOT_IN_PATH else 0, text)


def open_gate(created: Created, args: list[str]) -> None:
    """Let init exec; CreateError if the kernel refuses the program."""
    os.write(created.gate, b"\0")
    os.close(created.gate)
    await_exec(created.report, args[0])


def await_exec(report: int, program: str) -> None:
    """Wait for the end of exec, and close the report."""
    try:
        data = os.read(report, failure.SIZE)
    finally:
        os.close(report)
    if data:
        _, number, _ = failure.unpack(data)
        raise failure.CreateError("exec", number, f"exec {program}: {failure.describe(number)}")
