"""What runs between fork and exec: makes the container around itself, waits at the gate, becomes the container's program.

From pivot_root on, the files that names lead to are the container's: nothing here imports, loads a library or a codec,
asks NSS or prints. A failure leaves as numbers.
"""

from __future__ import annotations

import gc
import os
import resource
import sys

from skiff.errors import SyscallError
from skiff.linux import capabilities, mounts, namespaces, network, prctl, processes, signals
from skiff.oci import command, failure, identity, inroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from skiff.oci.create import Surroundings
    from skiff.oci.namespaces import NamespacePlan
    from skiff.oci.process import ProcessPlan
    from skiff.oci.rootfs import RootfsPlan


class InitPlan:
    """All that init needs, made before the fork."""

    __slots__ = ("cgroups", "dies_with_parent", "hostname", "namespaces", "process", "rootfs", "stdio")

    def __init__(
        self,
        namespaces: NamespacePlan,
        rootfs: RootfsPlan,
        process: ProcessPlan,
        hostname: str,
        cgroups: list[str],
        around: Surroundings,
    ) -> None:
        self.namespaces, self.rootfs, self.process = namespaces, rootfs, process
        self.hostname = os.fsencode(hostname)
        self.cgroups = cgroups
        self.stdio = around.stdio
        self.dies_with_parent = around.dies_with_parent


class Refusal(Exception):
    """A reason that no errno tells."""

    def __init__(self, number: int) -> None:
        self.number = number


class Init:
    """The way from fork to exec; `step` and `index` say how far it got."""

    def __init__(self, plan: InitPlan, report: int, gate: int) -> None:
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
            self._detach()
            self._enter_namespaces()
            self._make_root()
            self._enter_root()
            self._become_user()
            self._find_command()
            self._wait_at_gate()
            os.execve(self.program, self.plan.process.args, self.plan.process.env)  # noqa: S606  # what a container's init is for
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

    def _detach(self) -> None:
        """Leave nothing of the parent's that the program could inherit or an image could hook into."""
        self._tie_to_parent()
        prctl.prctl(prctl.PR_SET_DUMPABLE, 0)
        processes.reset_signals()
        os.setsid()
        for number, fd in enumerate(self.plan.stdio):
            os.dup2(fd, number)
        processes.close_all_but((self.report, self.gate, *self.plan.namespaces.descriptors()))
        for finders in (sys.path, sys.meta_path, sys.path_hooks, sys.path_importer_cache):
            finders.clear()
        sys.excepthook = lambda *_: None
        os.umask(0)

    def _enter_namespaces(self) -> None:
        for path in self.plan.cgroups:
            with open(path, "wb", buffering=0) as file:
                file.write(b"0")
        score = self.plan.process.oom_score_adj
        if score is not None:
            self.step = failure.LIMITS
            with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
                file.write(b"%d" % score)
        self.step = failure.NAMESPACES
        for fd, kind in self.plan.namespaces.joined:
            namespaces.setns(fd, kind)
            os.close(fd)
        namespaces.unshare(self.plan.namespaces.made)
        if self.plan.namespaces.made & namespaces.CLONE_NEWNET:
            self.step = failure.NETWORK
            network.loopback_up()
        if self.plan.hostname:
            self.step = failure.HOSTNAME
            namespaces.sethostname(self.plan.hostname)

    def _make_root(self) -> None:
        self.step = failure.ROOTFS
        rootfs = self.plan.rootfs
        for operation in rootfs.entry:
            operation(-1)
            self.index += 1
        root = os.open(rootfs.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for operation in rootfs.inside:
            operation(root)
            self.index += 1
        self._resolve_user(root)
        self.step = failure.ROOTFS
        os.fchdir(root)
        os.close(root)

    def _resolve_user(self, root: int) -> None:
        """By the container's own files, read through the root's descriptor while the host's root still holds."""
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

    def _enter_root(self) -> None:
        """pivot_root onto itself stacks the old root on the new one, from where it is detached."""
        mounts.pivot_root(b".", b".")
        mounts.mount(None, b".", None, mounts.MS_SLAVE | mounts.MS_REC)
        mounts.unmount(b".", mounts.MNT_DETACH)
        if self.plan.rootfs.readonly:
            kept = os.statvfs(b"/").f_flag & (mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
            mounts.mount(None, b"/", None, mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY | kept)
        os.chdir(b"/")

    def _become_user(self) -> None:
        process = self.plan.process
        self.step = failure.LIMITS
        for self.index, (_, number, soft, hard) in enumerate(process.rlimits):
            resource.setrlimit(number, (soft, hard))
        self.step = failure.CAPABILITIES
        capabilities.drop_bounding(process.bounding, process.last_capability)
        prctl.prctl(prctl.PR_SET_KEEPCAPS, 1)
        self.step = failure.USER
        for fd in (0, 1, 2):
            self._own(fd)
        os.setgroups(process.groups)
        os.setresgid(process.gid, process.gid, process.gid)
        os.setresuid(process.uid, process.uid, process.uid)
        self.step = failure.CWD
        os.chdir(process.cwd)
        if not os.getcwdb().startswith(b"/"):
            raise Refusal(failure.OUTSIDE_ROOT)
        self.step = failure.CAPABILITIES
        prctl.prctl(prctl.PR_SET_KEEPCAPS, 0)
        capabilities.set_sets(process.effective, process.permitted, process.inheritable)
        capabilities.set_ambient(process.ambient)
        if process.no_new_privileges:
            prctl.prctl(prctl.PR_SET_NO_NEW_PRIVS, 1)
        os.umask(process.umask)

    def _own(self, fd: int) -> None:
        """So that the program may open /proc/self/fd/1; what is the host's own (a device, a file) is left alone."""
        if os.fstat(fd).st_mode & 0o170000 == 0o010000:
            os.fchown(fd, self.plan.process.uid, self.plan.process.gid)

    def _find_command(self) -> None:
        self.step = failure.COMMAND
        process = self.plan.process
        self.program, problem = command.find(process.args[0], process.env.get(b"PATH"))
        if problem:
            raise Refusal(problem)

    def _wait_at_gate(self) -> None:
        """Ready; then a byte opens the gate, and an end of file means that nobody is left to open it."""
        os.write(self.report, failure.pack(failure.READY, 0, 0))
        self.step = failure.EXEC
        if not os.read(self.gate, 1):
            os._exit(1)
        processes.close_on_exec_from(3)
        self._tie_to_parent()  # a change of user has cut the tie

    def _tie_to_parent(self) -> None:
        if self.plan.dies_with_parent:
            prctl.prctl(prctl.PR_SET_PDEATHSIG, signals.SIGKILL)
