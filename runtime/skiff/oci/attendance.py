"""The process outside while another finds its way into a container: does what that one asks for until it is ready or fails."""

from __future__ import annotations

import os

from skiff.errors import SyscallError, suppress
from skiff.linux import namespaces as ns
from skiff.linux import signals
from skiff.oci import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from skiff.oci.listener import Listener
    from skiff.oci.steps import EntrantPlan, Steps

LABELS = "process.apparmorProfile or process.selinuxLabel is not loaded on this host, or may not be entered"


class Channels:
    """The gate's end that the process reads and the one that answers it; the report's two ends."""

    __slots__ = ("inner", "outer", "read", "write")

    def __init__(self, gate: tuple[int, int], report: tuple[int, int]) -> None:
        self.inner, self.outer = gate
        self.read, self.write = report

    @classmethod
    def pipes(cls) -> Channels:
        """For the process that makes the other one itself."""
        return cls(os.pipe(), os.pipe())

    def close(self) -> None:
        """All that is still open."""
        for name in self.__slots__:
            fd = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)


def fork(plan: EntrantPlan, entrant: Callable[[], Steps]) -> int:
    """Change the pid namespace, which is the next child's, around the fork; with a user namespace the child does that."""
    pids = plan.namespaces
    changed = not pids.users and (pids.new_pid or pids.pid >= 0)
    if changed and pids.new_pid:
        ns.unshare(ns.CLONE_NEWPID)
    elif changed:
        ns.setns(pids.pid, ns.CLONE_NEWPID)
    pid = _fork(plan)
    if pid == 0:
        entrant().run()
    if changed:
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        ns.setns(own, ns.CLONE_NEWPID)
        os.close(own)
    return pid


def _fork(plan: EntrantPlan) -> int:
    """Born in its group of version 2, where the kernel can: to move there later takes it some 20 ms, a grace period of RCU."""
    plain = ns.fork_sibling if plan.sibling else os.fork
    entrance = next((path for path in plan.cgroups if path.endswith("/cgroup.procs")), None)
    if entrance is None or plan.process.affinity[0]:
        return plain()
    try:
        group = os.open(os.path.dirname(entrance), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return plain()  # the child finds the same, and reports it
    try:
        pid = ns.fork_into(group, ns.CLONE_PARENT if plan.sibling else 0)
    except SyscallError:
        return plain()  # before Linux 5.7, or the child finds the reason
    finally:
        os.close(group)
    if pid == 0:
        plan.cgroups.remove(entrance)
    return pid


class Attendance:
    """One process; `pid` is it, or the one that goes before it."""

    def __init__(self, plan: EntrantPlan, channels: Channels) -> None:
        self.plan, self.channels = plan, channels
        self.pid = -1
        self.run_hooks: Callable[[int], None] | None = None
        self.listener: Listener | None = None

    def begin(self, entrant: Callable[[], Steps]) -> None:
        """Fork."""
        self.pid = fork(self.plan, entrant)
        os.close(self.channels.write)
        self.channels.write = -1

    def until_ready(self) -> None:
        """Serve; CreateError if it fails."""
        while True:
            data = os.read(self.channels.read, failure.SIZE)
            if len(data) < failure.SIZE:
                raise failure.CreateError(
                    "init", 0, "the container's init died while it was set up: it may have been out of memory"
                )
            step, number, index = failure.unpack(data)
            if step == failure.READY:
                return
            if step < failure.MAPS:
                raise _explained(self.plan, step, number, index)
            self._serve(step, number)
            os.write(self.channels.outer, b"\1")

    def _serve(self, request: int, number: int) -> None:
        if request == failure.MAPS:
            self.plan.namespaces.mappings.write(self.pid)
        elif request == failure.CHILD:
            before, self.pid = self.pid, number
            with suppress(ChildProcessError):  # a sibling's end is the parent's to see
                os.waitpid(before, 0)
        elif request == failure.HOOKS and self.run_hooks is not None:
            self.run_hooks(self.pid)
        elif request == failure.LISTENER and self.listener is not None:
            self.listener.announce(self.pid, number)

    def until_exec(self) -> None:
        """Serve until the program runs; CreateError if the kernel refuses it. Closes the channels."""
        try:
            data = os.read(self.channels.read, failure.SIZE)
            while data and failure.unpack(data)[0] == failure.LISTENER:
                self._serve(*failure.unpack(data)[:2])
                os.write(self.channels.outer, b"\1")
                data = os.read(self.channels.read, failure.SIZE)
        finally:
            self.channels.close()
        if data:
            raise _explained(self.plan, *failure.unpack(data))

    def abandon(self) -> None:
        """Kill it, and wait for its end."""
        self.channels.close()
        if self.pid > 0:
            kill(self.pid)


def kill(pid: int) -> None:
    """A child, whatever it does."""
    try:
        os.kill(pid, signals.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def await_exec(report: int, program: str) -> None:
    """Wait for the end of exec, and close the report; for who knows of the process nothing but its channels."""
    try:
        data = os.read(report, failure.SIZE)
    finally:
        os.close(report)
    if not data:
        return
    step, number, _ = failure.unpack(data)
    if step == failure.EXEC:
        raise failure.CreateError("exec", number, f"exec {program}: {failure.describe(number)}")
    name = failure.NAMES[step] if step < len(failure.NAMES) else "exec"
    if number == failure.HOOK_FAILED:
        raise failure.CreateError(name, 0, f"error running {name}: it failed or ran past its timeout")
    words = failure.describe(number) if number < failure.NOT_IN_PATH else "an internal error"
    what = LABELS if step == failure.LABEL else f"could not set up {name}"
    raise failure.CreateError(name, number if number < failure.NOT_IN_PATH else 0, f"{what}: {words}")


def _explained(plan: EntrantPlan, step: int, number: int, index: int) -> failure.CreateError:
    from skiff.oci.explain import explain  # all that goes well does without

    return explain(plan, step, number, index)
