"""The way of a forked process into a container, up to exec: what init and a process of exec have in common.

The rule of steps.py holds here too: from the container's root on nothing is imported, opened by a host's name, or said.
"""

from __future__ import annotations

import errno
import os
import resource

from skiff.errors import SyscallError
from skiff.linux import capabilities, keyring, namespaces, prctl, processes, scheduling, seccomp, terminal
from skiff.oci import command, console, failure, identity, inroot
from skiff.oci.steps import EntrantPlan, Refusal, Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.seccomp import Filter

EVERY_PROCESSOR = range(8192)  # of which the kernel takes those of the cgroup


class Entrant(Steps):
    """All steps but those that make a container; `setgroups` tells whether the user namespace lets it have other groups."""

    def __init__(self, plan: EntrantPlan, report: int, gate: int) -> None:
        super().__init__(plan, report, gate)
        self.setgroups = True
        self.label = -1

    def place(self) -> None:
        """What is the host's to grant: cgroup, processors, priorities, and limits above the present ones."""
        process = self.plan.process
        initial, final = process.affinity
        if initial:
            os.sched_setaffinity(0, initial)
        for path in self.plan.cgroups:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, b"0")
            os.close(fd)
        self.step = failure.SCHEDULING
        if final or initial:
            os.sched_setaffinity(0, final or EVERY_PROCESSOR)
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
        os.setsid()  # of which the first was the leader, and a terminal is a leader's to take
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
        if process.username or not process.env.get(b"HOME"):
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
        self._reduce()

    def _reduce(self) -> None:
        """To what the program will have, and what a filter without no_new_privs takes to install."""
        process = self.plan.process
        self.step = failure.CAPABILITIES
        kept = process.permitted | process.inheritable
        if process.filter is not None and not process.no_new_privileges:
            kept |= 1 << capabilities.NUMBERS["CAP_SYS_ADMIN"]
        capabilities.set_sets(process.effective, kept, process.inheritable)

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
        kept = capabilities.permitted()
        capabilities.set_sets(kept, kept, process.inheritable)
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


def _set_limit(number: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(number, (soft, hard))
    except ValueError:  # what Python makes of both
        valid = hard == resource.RLIM_INFINITY or 0 <= soft <= hard
        raise Refusal(errno.EPERM if valid else errno.EINVAL) from None
