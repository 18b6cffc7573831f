"""Version 1 of control groups: a directory in every hierarchy, the hybrid layout's unified one included."""

from __future__ import annotations

import errno
import os
import time

from skiff.cgroup import device_rules, files, setting, v1_settings
from skiff.cgroup.hierarchy import View
from skiff.errors import Conflict, SkiffError, SyscallError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.hierarchy import Layout
    from skiff.cgroup.oom import OomWatch
    from skiff.cgroup.setting import Setting
    from skiff.cgroup.stats import Stats
    from skiff.spec.types import DeviceRule, Resources

NOT_MOUNTED = "/nonexistent"
CPUSET = ("cpuset.cpus", "cpuset.mems")


class V1:
    """See cgroup.manager.CgroupManager."""

    version = 1

    def __init__(self, layout: Layout, path: str) -> None:
        self._layout = layout
        self._path = files.check_path(path).strip("/")
        self.confines_devices = "devices" in layout.controllers
        # systemd, in its hybrid mode, watches its services there.
        self._unified = f"{layout.unified}/{self._path}" if os.access(layout.unified, os.W_OK) else ""

    def _directory(self, controller: str, what: str) -> str:
        root = self._layout.controllers.get(controller)
        if root is None:
            raise Unsupported(f"{what}: the {controller} cgroup is not mounted on this host")
        return f"{root}/{self._path}"

    def _readable(self, controller: str) -> str:
        return f"{self._layout.controllers.get(controller, NOT_MOUNTED)}/{self._path}"

    def _directories(self) -> list[str]:
        directories = [f"{hierarchy.directory}/{self._path}" for hierarchy in self._layout.hierarchies]
        return [*directories, self._unified] if self._unified else directories

    def require_vacant(self) -> None:
        """In no hierarchy a process, and not frozen."""
        for directory in self._directories():
            files.require_vacant(directory)
        if self.frozen():
            raise Conflict(f"container's cgroup unexpectedly frozen: {self._tasks()}: thaw it, or choose another cgroupsPath")

    def create(self, resources: Resources) -> None:
        """Make it in every hierarchy."""
        self.require_vacant()
        try:
            self.make(resources)
        except BaseException:
            self.delete()
            raise

    def make(self, resources: Resources) -> None:
        """The same for a group in which somebody may be already, and which an error leaves half made."""
        for hierarchy in self._layout.hierarchies:
            directory = f"{hierarchy.directory}/{self._path}"
            os.makedirs(directory, exist_ok=True)
            if "cpuset" in hierarchy.controllers:
                inherit_cpuset(hierarchy.directory, directory)
        if self._unified:
            os.makedirs(self._unified, exist_ok=True)
        rules = resources.get("devices") or []
        if rules or self.confines_devices:
            self._set_devices(rules)
        self._set(resources)

    def entered(self) -> None:
        """Nothing has held it open."""

    def update(self, resources: Resources) -> None:
        """Set what is given."""
        if resources.get("devices"):
            self._set_devices(resources["devices"])
        self._set(resources)

    def _set(self, resources: Resources) -> None:
        if (resources.get("memory") or {}).get("checkBeforeUpdate"):
            files.require_room(self._readable("memory"), "memory.usage_in_bytes", resources["memory"])
        try:
            setting.write(v1_settings.settings(resources, self._has), self._place)
        except SyscallError as error:
            if error.errno == errno.EBUSY and "memory." in error.detail:
                used = files.number(self._readable("memory"), "memory.usage_in_bytes")
                raise SkiffError(f"{error}: {used} bytes are in use, and the kernel could not free enough") from None
            raise

    def _has(self, controller: str, name: str) -> bool:
        return os.path.exists(f"{self._readable(controller)}/{name}")

    def _place(self, wanted: Setting) -> str:
        directory = self._directory(wanted.controller, f"linux.resources.{wanted.key}")
        if not os.path.exists(f"{directory}/{wanted.name}") and os.path.isdir(directory):
            raise Unsupported(f"linux.resources.{wanted.key}: this kernel has no {wanted.name}")
        return directory

    def _set_devices(self, rules: list[DeviceRule]) -> None:
        directory = self._directory("devices", "linux.resources.devices")
        now = device_rules.listed(files.read(directory, "devices.list"))
        for name, value in device_rules.steps(now, device_rules.Granted(device_rules.complete(rules))):
            files.write(directory, name, value)

    def entrances(self) -> list[str]:
        """One for each hierarchy.

        A process of one thread is moved by `tasks` at once; for cgroup.procs the kernel waits for a grace period of RCU, 20 ms.
        """
        tasks = [f"{hierarchy.directory}/{self._path}/tasks" for hierarchy in self._layout.hierarchies]
        return [*tasks, f"{self._unified}/cgroup.procs"] if self._unified else tasks

    def delegate(self, uid: int) -> None:
        """Not in version 1, whose files do not keep a group's owner from the limits of the host."""

    def pids(self) -> list[int]:
        """By the freezer's hierarchy, or the first where there is none."""
        return files.pids(self._tasks())

    def _tasks(self) -> str:
        return self._readable("freezer") if "freezer" in self._layout.controllers else self._directories()[0]

    def freeze(self, frozen: bool) -> None:
        """By the freezer, which may need more than one attempt on a group that forks."""
        directory = self._directory("freezer", "pause")
        wanted = "FROZEN" if frozen else "THAWED"
        for _ in range(files.FREEZE_ATTEMPTS):
            files.write(directory, "freezer.state", wanted)
            if files.read(directory, "freezer.state") == wanted:
                return
            time.sleep(files.FREEZE_PAUSE)
        files.write(directory, "freezer.state", "THAWED")
        raise Unsupported(f"could not freeze {directory}: a process sleeps uninterruptibly")

    def frozen(self) -> bool:
        """By its own state, a parent's is another's business."""
        return files.read(self._readable("freezer"), "freezer.self_freezing") == "1"

    def kill(self, signal: int) -> None:
        """Frozen meanwhile, so that nothing escapes by forking."""
        directory = self._tasks()
        if not files.pids(directory):
            return
        try:
            self.freeze(True)
        except Unsupported:
            files.signal_in_motion(directory, signal)
            return
        try:
            files.signal_all(directory, signal)
        finally:
            files.thaw_what_is_left(self, directory)

    def oom_kills(self) -> int:
        """From memory.oom_control, since Linux 4.13."""
        return files.keyed(self._readable("memory"), "memory.oom_control").get("oom_kill", 0)

    def oom_watch(self) -> OomWatch:
        """By an eventfd."""
        from skiff.cgroup.oom import V1Watch

        return V1Watch(self._directory("memory", "OOM events"))

    def stats(self) -> Stats:
        """From all controllers that are mounted."""
        from skiff.cgroup import v1_stats  # the start of a container does without

        return v1_stats.read(self._readable)

    def views(self, own_namespace: bool) -> list[View]:
        """One directory for each hierarchy, named as the host's."""
        made = []
        for hierarchy in self._layout.hierarchies:
            name = hierarchy.directory.rpartition("/")[2]
            aliases = [other for other in hierarchy.controllers if other != name and "=" not in other]
            bind = "" if own_namespace else f"{hierarchy.directory}/{self._path}"
            made.append(View(name, "cgroup", ",".join(hierarchy.controllers), aliases, bind))
        return made

    def delete(self) -> None:
        """From every hierarchy, from the others too if one keeps it."""
        files.remove_all(self._directories())


def inherit_cpuset(root: str, directory: str) -> None:
    """A new cpuset group is empty and takes no process; give it and its parents what lies above them."""
    parent = directory.rpartition("/")[0]
    above = [files.read(parent, name) for name in CPUSET]
    if all(above):
        for name, value in zip(CPUSET, above):
            if not files.read(directory, name):
                files.write(directory, name, value)
        return
    inherited = root
    for part in directory[len(root) :].strip("/").split("/"):
        child = f"{inherited}/{part}"
        for name in CPUSET:
            if not files.read(child, name):
                files.write(child, name, files.read(inherited, name))
        inherited = child
