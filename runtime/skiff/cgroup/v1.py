"""Version 1 of control groups: a directory in every hierarchy, the hybrid layout's unified one included."""

from __future__ import annotations

import os
import time

from skiff.cgroup import files
from skiff.cgroup.hierarchy import View
from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.hierarchy import Layout
    from skiff.cgroup.manager import Stats
    from skiff.spec.types import Cpu, DeviceRule, Memory, Resources


class V1:
    """See cgroup.manager.CgroupManager."""

    version = 1

    def __init__(self, layout: Layout, path: str) -> None:
        self._layout = layout
        self._path = files.check_path(path).strip("/")
        self.confines_devices = "devices" in layout.controllers
        # systemd, in its hybrid mode, watches its services there.
        self._unified = f"{layout.unified}/{self._path}" if os.access(layout.unified, os.W_OK) else ""

    def _directory(self, controller: str, what: str = "") -> str:
        root = self._layout.controllers.get(controller)
        if root is None:
            raise Unsupported(f"{what or controller}: the {controller} cgroup is not mounted on this host")
        return f"{root}/{self._path}"

    def _directories(self) -> list[str]:
        directories = [f"{hierarchy.directory}/{self._path}" for hierarchy in self._layout.hierarchies]
        return [*directories, self._unified] if self._unified else directories

    def create(self, resources: Resources) -> None:
        """Make it in every hierarchy."""
        try:
            for hierarchy in self._layout.hierarchies:
                directory = files.make(hierarchy.directory, self._path)
                if "cpuset" in hierarchy.controllers:
                    inherit_cpuset(hierarchy.directory, directory)
            if self._unified:
                os.makedirs(self._unified, exist_ok=True)
            self.update(resources)
        except BaseException:
            self.delete()
            raise

    def update(self, resources: Resources) -> None:
        """Set what is given."""
        if resources.get("memory"):
            self._set_memory(resources["memory"])
        if resources.get("cpu"):
            self._set_cpu(resources["cpu"])
        if resources.get("pids"):
            maximum = resources["pids"]["limit"]
            files.write(self._directory("pids", "pids.limit"), "pids.max", maximum if maximum > 0 else "max")
        if resources.get("devices"):
            self._set_devices(resources["devices"])

    def _set_memory(self, memory: Memory) -> None:
        directory = self._directory("memory", "memory limit")
        maximum, swap = memory.get("limit"), memory.get("swap")
        swap_file = "memory.memsw.limit_in_bytes"
        if swap is not None and not os.path.exists(f"{directory}/{swap_file}"):
            raise Unsupported("memory.swap: this kernel does not account swap (boot it with swapaccount=1)")
        # memory and swap together may at no moment be below memory alone.
        grows = swap is not None and (swap < 0 or files.number(directory, swap_file) < swap)
        steps = [("memory.limit_in_bytes", maximum), (swap_file, swap)]
        for name, value in reversed(steps) if grows and swap_is_limited(directory) else steps:
            if value is not None:
                files.write(directory, name, value)
        if "reservation" in memory:
            files.write(directory, "memory.soft_limit_in_bytes", memory["reservation"])

    def _set_cpu(self, cpu: Cpu) -> None:
        for key, name in (("shares", "cpu.shares"), ("period", "cpu.cfs_period_us"), ("quota", "cpu.cfs_quota_us")):
            value = cpu.get(key)
            if value:
                files.write(self._directory("cpu", f"cpu.{key}"), name, str(value))
        for key in ("cpus", "mems"):
            value = cpu.get(key)
            if value:
                files.write(self._directory("cpuset", f"cpu.{key}"), f"cpuset.{key}", str(value))

    def _set_devices(self, rules: list[DeviceRule]) -> None:
        directory = self._directory("devices", "devices")
        for rule in rules:
            files.write(directory, "devices.allow" if rule["allow"] else "devices.deny", device_rule(rule))

    def entrances(self) -> list[str]:
        """One for each hierarchy."""
        return [f"{directory}/cgroup.procs" for directory in self._directories()]

    def pids(self) -> list[int]:
        """By the freezer's hierarchy, or the first where there is none."""
        return files.pids(self._tasks())

    def _tasks(self) -> str:
        return self._directory("freezer") if "freezer" in self._layout.controllers else self._directories()[0]

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

    def kill(self, signal: int) -> None:
        """Frozen meanwhile, so that nothing escapes by forking."""
        directory = self._tasks()
        if not files.pids(directory):
            return
        if "freezer" not in self._layout.controllers:
            files.signal_all(directory, signal)
            return
        try:
            self.freeze(True)
        except Unsupported:
            files.signal_all(directory, signal)
            return
        try:
            files.signal_all(directory, signal)
        finally:
            self.freeze(False)

    def oom_kills(self) -> int:
        """From memory.oom_control, since Linux 4.13."""
        if "memory" not in self._layout.controllers:
            return 0
        return files.keyed(self._directory("memory"), "memory.oom_control").get("oom_kill", 0)

    def stats(self) -> Stats:
        """From the memory, cpuacct, cpu and pids controllers."""
        memory, pids = self._directory("memory"), self._directory("pids")
        return {
            "memory_usage": files.number(memory, "memory.usage_in_bytes"),
            "memory_limit": files.limit(files.read(memory, "memory.limit_in_bytes")),
            "cpu_usage": files.number(self._directory("cpuacct"), "cpuacct.usage"),
            "cpu_throttled": files.keyed(self._directory("cpu"), "cpu.stat").get("throttled_time", 0),
            "pids_current": files.number(pids, "pids.current"),
            "pids_limit": files.limit(files.read(pids, "pids.max")),
        }

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
        """From every hierarchy."""
        for directory in self._directories():
            files.remove(directory)


def swap_is_limited(directory: str) -> bool:
    """Whether memory and swap have a limit yet; before they have one, memory's comes first."""
    return files.limit(files.read(directory, "memory.memsw.limit_in_bytes")) is not None


def device_rule(rule: DeviceRule) -> str:
    """A rule in the words of devices.allow."""
    kind = rule.get("type") or "a"
    major, minor = (str(value) if value is not None and value >= 0 else "*" for value in (rule.get("major"), rule.get("minor")))
    return f"{kind} {major}:{minor} {rule.get('access') or 'rwm'}"


def inherit_cpuset(root: str, directory: str) -> None:
    """A new cpuset group is empty and takes no process; give it and its parents what lies above them."""
    inherited = root
    for part in directory[len(root) :].strip("/").split("/"):
        child = f"{inherited}/{part}"
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not files.read(child, name):
                files.write(child, name, files.read(inherited, name))
        inherited = child
