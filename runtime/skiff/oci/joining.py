"""A further process in a container: enters what its first process lives in, and becomes a program there."""

from __future__ import annotations

import os

from skiff.errors import Conflict
from skiff.oci import failure
from skiff.oci import namespaces as ns
from skiff.oci.entrant import Entrant
from skiff.oci.process import ProcessPlan
from skiff.oci.steps import EntrantPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.namespaces import NamespacePlan
    from skiff.spec.types import Process


class JoiningPlan(EntrantPlan):
    """`root` is a descriptor of the container's root directory."""

    __slots__ = ("root",)

    def __init__(self, namespaces: NamespacePlan, process: ProcessPlan, cgroups: list[str], root: int) -> None:
        super().__init__(namespaces, process, cgroups)
        self.root = root

    def descriptors(self) -> tuple[int, ...]:
        """With the root."""
        return (*super().descriptors(), self.root)

    def close(self) -> None:
        """Let go of what was opened for the process."""
        self.namespaces.close()
        os.close(self.root)


def plan(pid: int, process: Process, cgroups: list[str]) -> JoiningPlan:
    """The plan for a process beside `pid`; Conflict if that one has ended."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        namespaces = ns.of_process(pid)
    except (FileNotFoundError, ProcessLookupError):
        raise Conflict("cannot exec in a stopped container") from None
    return JoiningPlan(namespaces, ProcessPlan(process, all_capabilities=namespaces.users), cgroups, root)


class Joining(Entrant):
    """Without a gate: nobody has to be asked again."""

    plan: JoiningPlan

    def enter(self) -> None:
        """From the host to the program."""
        self.detach()
        self.place()
        self.open_label()
        self.enter_namespaces()
        self.step = failure.ROOTFS
        self.take_terminal(self.plan.root, b"")
        self.resolve_user(self.plan.root)
        self.step = failure.ROOTFS
        os.fchdir(self.plan.root)
        os.chroot(b".")
        os.close(self.plan.root)
        self.become_user()
        self.find_command()
        os.write(self.report, failure.pack(failure.READY, 0, 0))
        self.confine()
