"""The way of a forked process into a container, up to exec: what init and a process of exec have in common.

From the container's root on, the files that names lead to are the container's: nothing here imports, loads a library or a
codec, asks NSS or prints. A failure leaves as numbers.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import sys

from skiff.errors import SyscallError
from skiff.linux import (
    capabilities,
    keyring,
    namespaces,
    prctl,
    processes,
    scheduling,
    seccomp,
    signals,
    terminal,
)
from skiff.oci import command, console, failure, identity, inroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from skiff.oci.namespaces import NamespacePlan
    from skiff.oci.process import ProcessPlan
    from skiff.oci.seccomp import Filter


class EntrantPlan:
    """All that the process needs, made before the fork.

    `cgroups` are the files to which it writes 0; `preserved` descriptors from 3 on pass exec; `console` is a connected socket.
    """

    __slots__ = ("cgroups", "console", "dies_with_parent", "namespaces", "preserved", "process", "stdio")

    def __init__(self, namespaces: NamespacePlan, process: ProcessPlan, cgroups: list[str]) -> None:
        self.namespaces, self.process, self.cgroups = namespaces, process, cgroups
        self.stdio = (0, 1, 2)
        self.dies_with_parent = False
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


class Entrant:
    """From fork to exec; `step` and `index` say how far it got."""

    def __init__(self, plan: EntrantPlan, report: int, gate: int) -> None:
        self.plan = plan
        self.report = report
        self.gate = gate
        self.step = failure.CGROUP
        self.index = 0
        self.program = b""
        self.setgroups = True
        self.label = -1

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

    def place(self) -> None:
        """What is the host's to grant: cgroup, processors, priorities, and limits above the present ones."""
        process = self.plan.process
        initial, final = process.affinity
        if initial:
            os.sched_setaffinity(0, initial)
        for path in self.plan.cgroups:
            with open(path, "wb", buffering=0) as file:
                file.write(b"0")
        self.step = failure.SCHEDULING
        if final:
            os.sched_setaffinity(0, final)
        if process.scheduler is not None:
            scheduling.set_scheduler(process.scheduler)
        if process.io_priority is not None:
            scheduling.set_io_priority(*process.io_priority)
        self.step = failure.OOM
        if process.oom_score_adj is not None:
            with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
                file.write(b"%d" % process.oom_score_adj)
        self.step = failure.LIMITS
        for self.index, (_, number, _, hard) in enumerate(process.rlimits):
            soft, present = resource.getrlimit(number)
            if present not in (hard, resource.RLIM_INFINITY) and (hard > present or hard == resource.RLIM_INFINITY):
                _set_limit(number, soft, hard)
        self.index = 0

    def enter_namespaces(self) -> None:
        """Join and make all of them; with a user namespace the process is another one afterwards, a child of the same parent."""
        self.step = failure.NAMESPACES
        plan = self.plan.namespaces
        # By descriptor, for in another mount namespace /proc may not know us.
        own = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if plan.users and not plan.privileged:
            self._enter_user(own)
        for fd, kind in plan.joined:
            namespaces.setns(fd, kind)
            os.close(fd)
        if plan.users:
            if plan.pid >= 0:
                namespaces.setns(plan.pid, namespaces.CLONE_NEWPID)
            if plan.privileged:
                self._enter_user(own)
            if plan.new_pid:
                namespaces.unshare(namespaces.CLONE_NEWPID)
            self._go_on_as_sibling()
        os.close(own)
        namespaces.unshare(plan.made)
        self._enter_time()

    def _enter_user(self, own: int) -> None:
        plan = self.plan.namespaces
        if plan.user >= 0:
            namespaces.setns(plan.user, namespaces.CLONE_NEWUSER)
        else:
            namespaces.unshare(namespaces.CLONE_NEWUSER)
            # While its files in /proc are to be written by a user that is not root.
            prctl.prctl(prctl.PR_SET_DUMPABLE, 1)
            self.ask(failure.MAPS)
        setgroups = os.open("setgroups", os.O_RDONLY | os.O_CLOEXEC, dir_fd=own)
        self.setgroups = os.read(setgroups, 5) == b"allow"
        os.close(setgroups)
        if self.setgroups:
            os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        prctl.prctl(prctl.PR_SET_DUMPABLE, 0)

    def _go_on_as_sibling(self) -> None:
        """The next process is the first in the new pid namespace, and whoever waits for us can wait for it."""
        pid = namespaces.fork_sibling()
        if pid:
            os.write(self.report, failure.pack(failure.CHILD, pid, 0))
            os._exit(0)
        self.tie_to_parent()
        if not os.read(self.gate, 1):
            os._exit(1)

    def _enter_time(self) -> None:
        plan = self.plan.namespaces
        if plan.new_time:
            namespaces.unshare(namespaces.CLONE_NEWTIME)
            if plan.offsets:
                prctl.prctl(prctl.PR_SET_DUMPABLE, 1)
                with open("/proc/self/timens_offsets", "wb", buffering=0) as file:
                    file.write(plan.offsets)
                prctl.prctl(prctl.PR_SET_DUMPABLE, 0)
            own = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
            namespaces.setns(own, namespaces.CLONE_NEWTIME)
            os.close(own)
        elif plan.time >= 0:
            namespaces.setns(plan.time, namespaces.CLONE_NEWTIME)

    def open_label(self) -> None:
        """The file of the security label, while the host's /proc is there."""
        if self.plan.process.label is not None:
            self.step = failure.LABEL
            self.label = os.open(self.plan.process.label.path, os.O_WRONLY | os.O_CLOEXEC)

    def resolve_user(self, root: int) -> None:
        """By the container's own files, read through the root's descriptor."""
        self.step = failure.USER
        process = self.plan.process
        passwd = b""
        if process.username or b"HOME" not in process.env:
            passwd = inroot.read_file(root, b"/etc/passwd", identity.MAX_FILE)
        home = b""
        if process.username:
            try:
                found = identity.lookup(process.username, passwd, inroot.read_file(root, b"/etc/group", identity.MAX_FILE))
            except identity.NoSuchUser:
                raise Refusal(failure.NO_SUCH_USER) from None
            except identity.NoSuchGroup:
                raise Refusal(failure.NO_SUCH_GROUP) from None
            process.uid, process.gid, home = found.uid, found.gid, found.home
            process.groups = [gid for gid in found.groups if gid not in process.groups] + process.groups
        if not process.env.get(b"HOME"):
            process.env[b"HOME"] = home or identity.home_of(process.uid, passwd)

    def take_terminal(self, root: int, at: bytes) -> None:
        """A terminal of the container's own as standard streams; its other end goes to whoever listens at the console socket."""
        process = self.plan.process
        if not process.terminal:
            return
        self.step = failure.CONSOLE
        master, end = console.allocate(root, at)
        if process.console_size is not None:
            terminal.resize(end, *process.console_size)
        console.send(self.plan.console, master)
        terminal.take_control(end)
        for fd in (0, 1, 2):
            os.dup2(end, fd)
        for fd in (master, end, self.plan.console):
            os.close(fd)

    def become_user(self) -> None:
        """Everything of the process but what a filter or a lack of capabilities would forbid; that is `confine`."""
        process = self.plan.process
        self.step = failure.LIMITS
        for self.index, (_, number, soft, hard) in enumerate(process.rlimits):
            _set_limit(number, soft, hard)
        if process.keyring:
            self.step = failure.KEYRING
            try:
                keyring.join_new(process.keyring)
            except SyscallError as error:
                if error.errno != errno.ENOSYS:
                    raise
        if process.personality is not None:
            scheduling.set_personality(process.personality)
        self.step = failure.CAPABILITIES
        capabilities.drop_bounding(process.bounding, process.last_capability)
        prctl.prctl(prctl.PR_SET_KEEPCAPS, 1)
        self._change_user()
        self.step = failure.CWD
        os.chdir(process.cwd)
        if not os.getcwdb().startswith(b"/"):
            raise Refusal(failure.OUTSIDE_ROOT)
        os.umask(process.umask)

    def _change_user(self) -> None:
        process = self.plan.process
        self.step = failure.USER
        for fd in (0, 1, 2):
            self._own(fd)
        if self.setgroups:
            os.setgroups(process.groups)
        elif process.groups:
            raise Refusal(failure.NO_SETGROUPS)
        os.setresgid(process.gid, process.gid, process.gid)
        os.setresuid(process.uid, process.uid, process.uid)

    def _own(self, fd: int) -> None:
        """So that the program may open /proc/self/fd/1; what is the host's own (a device, a file) is left alone."""
        kind = os.fstat(fd).st_mode & 0o170000
        if kind == 0o010000 or (self.plan.process.terminal and kind == 0o020000):
            try:
                os.fchown(fd, self.plan.process.uid, -1 if self.plan.process.terminal else self.plan.process.gid)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EINVAL) or not self.plan.namespaces.users:
                    raise

    def find_command(self) -> None:
        """What will be executed, found while a failure still has words."""
        self.step = failure.COMMAND
        process = self.plan.process
        self.program, problem = command.find(process.args[0], process.env.get(b"PATH"))
        if problem:
            raise Refusal(problem)

    def confine(self, *, listening: bool = True) -> None:
        """The last steps before exec: descriptors, label, filter, capabilities. The filter comes while we may still install one."""
        process = self.plan.process
        for fd in range(3, 3 + self.plan.preserved):
            os.set_inheritable(fd, True)
        processes.close_on_exec_from(3 + self.plan.preserved)
        if process.label is not None:
            self.step = failure.LABEL
            os.write(self.label, process.label.text)
        self.step = failure.CAPABILITIES
        everything = capabilities.permitted()  # of which a change of user has left nothing in effect
        capabilities.set_sets(everything, everything, process.inheritable)
        if process.no_new_privileges:
            prctl.prctl(prctl.PR_SET_NO_NEW_PRIVS, 1)
        if process.filter is not None:
            self._filter(process.filter, listening)
        self.step = failure.CAPABILITIES
        prctl.prctl(prctl.PR_SET_KEEPCAPS, 0)
        capabilities.set_sets(process.effective, process.permitted, process.inheritable)
        capabilities.set_ambient(process.ambient)
        self.step = failure.EXEC

    def _filter(self, wanted: Filter, listening: bool) -> None:
        self.step = failure.SECCOMP
        notifies = wanted.notifies and listening
        listener = seccomp.install(wanted.program, wanted.flags if notifies else wanted.flags & ~seccomp.FLAG_NEW_LISTENER)
        if notifies:
            self.ask(failure.LISTENER, listener)
            os.close(listener)

    def tie_to_parent(self) -> None:
        """Die with it, where that is wanted; a change of user cuts the tie."""
        if self.plan.dies_with_parent:
            prctl.prctl(prctl.PR_SET_PDEATHSIG, signals.SIGKILL)


def _set_limit(number: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(number, (soft, hard))
    except ValueError:  # what Python makes of both
        valid = hard == resource.RLIM_INFINITY or 0 <= soft <= hard
        raise Refusal(errno.EPERM if valid else errno.EINVAL) from None
