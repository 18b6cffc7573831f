"""A container's first process: makes the container around itself, waits at the gate, becomes the container's program."""

from __future__ import annotations

import os

from skiff.linux import mounts, namespaces, network
from skiff.oci import failure, hooks, hostmounts, rootfs
from skiff.oci.entrant import Entrant
from skiff.oci.steps import EntrantPlan, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.hooks import PlannedHook
    from skiff.oci.namespaces import NamespacePlan
    from skiff.oci.process import ProcessPlan
    from skiff.oci.rootfs import RootfsPlan


class InitPlan(EntrantPlan):
    """What makes a container besides what any process in one needs.

    `state` is its state as hooks are told it, with %d for the process and %s for the status; `trees` are open descriptors.
    """

    __slots__ = (
        "create_hooks", "domainname", "hook_output", "hostname", "outer_hooks", "rootfs", "start_hooks", "state", "trees",
    )  # fmt: skip

    def __init__(self, namespaces: NamespacePlan, process: ProcessPlan, cgroups: list[str], rootfs: RootfsPlan) -> None:
        super().__init__(namespaces, process, cgroups)
        self.rootfs = rootfs
        self.hostname = self.domainname = self.state = b""
        self.outer_hooks = False
        self.create_hooks: list[PlannedHook] = []
        self.start_hooks: list[PlannedHook] = []
        self.hook_output = -1
        self.trees: list[int] = []

    def descriptors(self) -> tuple[int, ...]:
        """With the trees, and the file where hooks write."""
        output = (self.hook_output,) if self.hook_output >= 0 else ()
        return (*super().descriptors(), *self.trees, *output)


class Init(Entrant):
    """`index` is the place of an operation in the root's plan, of a limit or of a hook."""

    plan: InitPlan

    def enter(self) -> None:
        """From the host to the container's program."""
        self.detach()
        self.place()
        self.open_label()
        self.step = failure.ROOTFS
        os.chdir(self.plan.rootfs.path)
        self.enter_namespaces()
        self._name()
        self._make_root()
        self._enter_root()
        self.become_user()
        self.find_command()
        notifies = self.plan.process.filter is not None and self.plan.process.filter.notifies
        if notifies:
            self.confine()
        self._wait_at_gate()
        self._run_hooks(self.plan.start_hooks, failure.START_HOOK, confined=notifies)
        if not notifies:
            self.confine()

    def _name(self) -> None:
        if self.plan.namespaces.made & namespaces.CLONE_NEWNET:
            self.step = failure.NETWORK
            network.loopback_up()
        self.step = failure.HOSTNAME
        if self.plan.hostname:
            namespaces.sethostname(self.plan.hostname)
        if self.plan.domainname:
            namespaces.setdomainname(self.plan.domainname)

    def _make_root(self) -> None:
        self.step = failure.ROOTFS
        plan = self.plan.rootfs
        root = -1
        for operation in plan.entry:
            operation(-1)
            root = getattr(operation, "tree", root)
            self.index += 1
        if root < 0:
            root = os.open(plan.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for operation in plan.inside:
            operation(root)
            self.index += 1
        after = self.index
        if self.plan.outer_hooks:
            self.ask(failure.HOOKS)
        self._run_hooks(self.plan.create_hooks, failure.CREATE_HOOK, confined=True)
        self.take_terminal(root, b"" if plan.way == rootfs.CHROOT else b"/dev/console")
        self.step, self.index = failure.ROOTFS, after
        for operation in plan.finish:
            operation(root)
            self.index += 1
        self.resolve_user(root)
        self.step = failure.ROOTFS
        os.fchdir(root)
        os.close(root)

    def _run_hooks(self, wanted: list[PlannedHook], step: int, *, confined: bool) -> None:
        """Those that run in here; what they say is read outside. One that is the container's own file is confined like it."""
        for self.index, hook in enumerate(wanted):
            self.step = step
            status_word = b"creating" if step == failure.CREATE_HOOK else b"created"
            state = self.plan.state % (os.getpid(), status_word)
            prepare = None if confined else lambda: self.confine(listening=False)
            if hooks.run(hook, state, self.plan.hook_output, prepare):
                raise Refusal(failure.HOOK_FAILED)
        self.index = 0

    def _enter_root(self) -> None:
        way = self.plan.rootfs.way
        if way == rootfs.PIVOT:
            # Onto itself: the old root comes to lie on the new one, from where it is detached, unnoticed by the host.
            old = os.open(b"/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            mounts.pivot_root(b".", b".")
            os.fchdir(old)
            os.close(old)
            mounts.mount(None, b".", None, mounts.MS_SLAVE | mounts.MS_REC)
            mounts.unmount(b".", mounts.MNT_DETACH)
        elif way == rootfs.MOVE:
            hostmounts.hide(os.getcwdb())
            mounts.mount(b".", b"/", None, mounts.MS_MOVE)
            os.chroot(b".")
        else:
            os.chroot(b".")
        os.chdir(b"/")
        if self.plan.rootfs.readonly:
            self._make_readonly()

    @staticmethod
    def _make_readonly() -> None:
        root = os.open(b"/", os.O_PATH | os.O_CLOEXEC)
        kept = mounts.flags_of(root)
        os.close(root)
        mounts.mount(None, b"/", None, mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY | kept)

    def _wait_at_gate(self) -> None:
        """Ready; then a byte opens the gate, and an end of file means that nobody is left to open it."""
        os.write(self.report, failure.pack(failure.READY, 0, 0))
        self.step = failure.EXEC
        if not os.read(self.gate, 1):
            os._exit(1)
        self.tie_to_parent()
