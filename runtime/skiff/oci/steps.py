"""A forked process as such: how it begins, how it asks the one outside, and that it ends in exec or in a report of numbers.

From the container's root on, the files that names lead to are the container's: nothing here imports, loads a library or a
codec, asks NSS or prints.
"""

from __future__ import annotations

import gc
import os
import sys

from skiff.errors import SyscallError
from skiff.linux import prctl, processes, signals
from skiff.oci import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from skiff.oci.namespaces import NamespacePlan
    from skiff.oci.process import ProcessPlan


class EntrantPlan:
    """All that the process needs, made before the fork.

    `cgroups` are the files to which it writes 0; `preserved` descriptors from 3 on pass exec; `console` is a connected
    socket; a `sibling` is a child not of who makes it, but of that one's parent.
    """

    __slots__ = ("cgroups", "console", "dies_with_parent", "namespaces", "preserved", "process", "sibling", "stdio")

    def __init__(self, namespaces: NamespacePlan, process: ProcessPlan, cgroups: list[str]) -> None:
        self.namespaces, self.process, self.cgroups = namespaces, process, cgroups
        self.stdio = (0, 1, 2)
        self.dies_with_parent = self.sibling = False
        self.preserved = 0
        self.console = -1

    def descriptors(self) -> tuple[int, ...]:
        """What must stay open until exec."""
        console = (self.console,) if self.console >= 0 else ()
        return (*self.namespaces.descriptors(), *console, *range(3, 3 + self.preserved))


class Refusal(Exception):
    """A reason that no errno tells."""

    def __init__(self, number: int) -> None:
        self.number = number


class Steps:
    """From fork to exec; `step` and `index` say how far it got."""

    def __init__(self, plan: EntrantPlan, report: int, gate: int) -> None:
        self.plan = plan
        self.report = report
        self.gate = gate
        self.step = failure.CGROUP
        self.index = 0
        self.program = b""

    def run(self) -> NoReturn:
        """Never returns: execs, or reports and ends."""
        number = failure.INTERNAL
        try:
            gc.disable()
            self.enter()
            os.execve(self.program, self.plan.process.args, self.plan.process.env)  # noqa: S606  # what all of this is for
        except (OSError, SyscallError) as error:
            number = error.errno or failure.INTERNAL
        except Refusal as refusal:
            number = refusal.number
        except BaseException:  # noqa: S110  # nothing may be printed here; INTERNAL is the report
            pass
        finally:
            try:
                os.write(self.report, failure.pack(self.step, number, self.index))
            finally:
                os._exit(1)

    def enter(self) -> None:
        """All the steps, to the moment before exec."""
        raise NotImplementedError

    def ask(self, request: int, number: int = 0) -> None:
        """Have the process outside do something, and wait until it is done; if it is gone, so are we."""
        os.write(self.report, failure.pack(request, number, 0))
        if not os.read(self.gate, 1):
            os._exit(1)

    def detach(self) -> None:
        """Leave nothing of the parent's that the program could inherit or an image could hook into."""
        self.tie_to_parent()
        prctl.prctl(prctl.PR_SET_DUMPABLE, 0)
        processes.reset_signals()
        os.setsid()
        for number, fd in enumerate(self.plan.stdio):
            os.dup2(fd, number)
        processes.close_all_but((self.report, self.gate, *self.plan.descriptors()))
        for finders in (sys.path, sys.meta_path, sys.path_hooks, sys.path_importer_cache):
            finders.clear()
        sys.excepthook = lambda *_: None
        os.umask(0)

    def tie_to_parent(self) -> None:
        """Die with it, where that is wanted; a change of user cuts the tie."""
        if self.plan.dies_with_parent:
            prctl.prctl(prctl.PR_SET_PDEATHSIG, signals.SIGKILL)
