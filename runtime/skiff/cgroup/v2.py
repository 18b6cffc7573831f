"""Version 2 of control groups: one directory, its controllers enabled from the root down."""

from __future__ import annotations

import os
import time

from skiff.cgroup import device_program, device_rules, files, setting, v2_settings
from skiff.cgroup.hierarchy import View
from skiff.errors import Conflict, SyscallError, Unsupported, suppress
from skiff.linux import bpf, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.oom import OomWatch
    from skiff.cgroup.setting import Setting
    from skiff.cgroup.stats import Stats
    from skiff.spec.types import DeviceRule, Resources

WANTED = ("cpuset", "cpu", "memory", "pids", "io", "hugetlb", "rdma", "misc")
# Files of every group; no controller has to be enabled for them.
EVERYWHERE = frozenset(("cgroup",))
DELEGATED = "/sys/kernel/cgroup/delegate"


class V2:
    """See cgroup.manager.CgroupManager."""

    version = 2
    confines_devices = True

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._path = files.check_path(path).strip("/")
        self._directory = f"{root}/{self._path}"

    def require_vacant(self) -> None:
        """No process, and not frozen."""
        files.require_vacant(self._directory)
        if self.frozen():
            raise Conflict(f"container's cgroup unexpectedly frozen: {self._directory}: thaw it, or choose another cgroupsPath")

    def create(self, resources: Resources) -> None:
        """Make it, with the controllers enabled from the root down."""
        self.require_vacant()
        try:
            self.make(resources)
        except BaseException:
            self.delete()
            raise

    def make(self, resources: Resources) -> None:
        """The same for a group in which somebody may be already, and which an error leaves half made."""
        os.makedirs(self._directory, exist_ok=True)
        self._enable_controllers()
        self._set_devices(resources.get("devices") or [])
        self._set(resources)

    def _enable_controllers(self) -> None:
        directory = self._root
        for part in self._path.split("/"):
            offered = files.read(directory, "cgroup.controllers").split()
            enabled = files.read(directory, "cgroup.subtree_control").split()
            for name in WANTED:
                if name in offered and name not in enabled:
                    with suppress(SyscallError):  # whoever wants a limit of it is told that it is not available
                        files.write(directory, "cgroup.subtree_control", f"+{name}")
            directory = f"{directory}/{part}"

    def entered(self) -> None:
        """Nothing has held it open."""

    def update(self, resources: Resources) -> None:
        """Set what is given."""
        if resources.get("devices"):
            self._set_devices(resources["devices"])
        self._set(resources)

    def _set(self, resources: Resources) -> None:
        if (resources.get("memory") or {}).get("checkBeforeUpdate"):
            files.require_room(self._directory, "memory.current", resources["memory"])
        wanted = v2_settings.settings(resources, self._has, lambda name: files.read(self._directory, name))
        setting.write(wanted, self._place)

    def _has(self, _controller: str, name: str) -> bool:
        return os.path.exists(f"{self._directory}/{name}")

    def _place(self, wanted: Setting) -> str:
        if not self._has(wanted.controller, wanted.name):
            offered = files.read(self._directory, "cgroup.controllers").split()
            if wanted.controller in EVERYWHERE or wanted.controller in offered:
                raise Unsupported(f"linux.resources.{wanted.key}: this kernel has no {wanted.name}")
            raise Unsupported(
                f"linux.resources.{wanted.key}: the {wanted.controller} controller is not available in {self._directory}"
            )
        return self._directory

    def _set_devices(self, rules: list[DeviceRule]) -> None:
        """By a program that the kernel asks; a user namespace may load none, and has no devices to confine."""
        if in_user_namespace():
            return
        program = bpf.load_device_program(device_program.program(device_rules.complete(rules)))
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            bpf.attach_device_program(directory, program)
        finally:
            os.close(directory)
            os.close(program)

    def entrances(self) -> list[str]:
        """One."""
        return [f"{self._directory}/cgroup.procs"]

    def delegate(self, uid: int) -> None:
        """The directory, and those of its files that the kernel says are a delegate's."""
        names = files.read(*os.path.split(DELEGATED)).split() or ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
        os.chown(self._directory, uid, -1)
        for name in names:
            if self._has("", name):
                os.chown(f"{self._directory}/{name}", uid, -1)

    def pids(self) -> list[int]:
        """From cgroup.procs, here and below."""
        return files.pids(self._directory)

    def freeze(self, frozen: bool) -> None:
        """By cgroup.freeze; the kernel finishes it in the background, and cgroup.events tells when."""
        wanted = 1 if frozen else 0
        if not self._has("", "cgroup.freeze"):
            raise Unsupported("pause: this kernel has no cgroup.freeze (Linux 5.2 has)")
        files.write(self._directory, "cgroup.freeze", wanted)
        for _ in range(files.FREEZE_ATTEMPTS):
            if files.keyed(self._directory, "cgroup.events").get("frozen", wanted) == wanted:
                return
            time.sleep(files.FREEZE_PAUSE)
        files.write(self._directory, "cgroup.freeze", 0)
        raise Unsupported(f"could not freeze {self._directory}: a process sleeps uninterruptibly")

    def frozen(self) -> bool:
        """By its own state, a parent's is another's business."""
        return files.read(self._directory, "cgroup.freeze") == "1"

    def kill(self, signal: int) -> None:
        """By cgroup.kill where the kernel has it (5.14), else frozen meanwhile."""
        if signal == signals.SIGKILL and os.path.exists(f"{self._directory}/cgroup.kill"):
            files.write(self._directory, "cgroup.kill", 1)
            return
        if not files.pids(self._directory):
            return
        try:
            self.freeze(True)
        except Unsupported:
            files.signal_in_motion(self._directory, signal)
            return
        try:
            files.signal_all(self._directory, signal)
        finally:
            files.thaw_what_is_left(self, self._directory)

    def oom_kills(self) -> int:
        """From memory.events."""
        return files.keyed(self._directory, "memory.events").get("oom_kill", 0)

    def oom_watch(self) -> OomWatch:
        """By memory.events."""
        from skiff.cgroup.oom import V2Watch

        if not self._has("memory", "memory.events"):
            raise Unsupported(f"OOM events: the memory controller is not available in {self._directory}")
        return V2Watch(self._directory)

    def stats(self) -> Stats:
        """From all controllers that are enabled."""
        from skiff.cgroup import v2_stats  # the start of a container does without

        return v2_stats.read(self._directory)

    def views(self, own_namespace: bool) -> list[View]:
        """The one tree."""
        return [View("", "cgroup2", "", [], "" if own_namespace else self._directory)]

    def delete(self) -> None:
        """The directory and those that the container made below it."""
        files.remove(self._directory)


def in_user_namespace() -> bool:
    """Whether user ids here are not the host's."""
    return files.read("/proc/self", "uid_map").split() != ["0", "0", "4294967295"]
