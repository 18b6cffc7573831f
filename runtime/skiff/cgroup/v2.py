"""Version 2 of control groups: one directory, and the conversions from version 1's numbers that the specification keeps."""

from __future__ import annotations

import contextlib
import os
import time

from skiff.cgroup import files
from skiff.cgroup.hierarchy import View
from skiff.errors import InvalidInput, SyscallError, Unsupported
from skiff.linux import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.manager import Stats
    from skiff.spec.types import Cpu, Memory, Resources

WANTED = ("cpuset", "cpu", "memory", "pids", "io")
DEFAULT_PERIOD = 100_000


class V2:
    """See cgroup.manager.CgroupManager. Device rules need an eBPF program, which this does not have: confines_devices is false."""

    version = 2
    confines_devices = False

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._path = files.check_path(path).strip("/")
        self._directory = f"{root}/{self._path}"

    def create(self, resources: Resources) -> None:
        """Make it, with the controllers enabled from the root down."""
        files.make(self._root, self._path)
        try:
            self._enable_controllers()
            self.update(resources)
        except BaseException:
            self.delete()
            raise

    def _enable_controllers(self) -> None:
        directory = self._root
        for part in self._path.split("/"):
            offered = files.read(directory, "cgroup.controllers").split()
            enabled = files.read(directory, "cgroup.subtree_control").split()
            for name in WANTED:
                if name in offered and name not in enabled:
                    with contextlib.suppress(SyscallError):  # whoever wants a limit of it is told that it is not available
                        files.write(directory, "cgroup.subtree_control", f"+{name}")
            directory = f"{directory}/{part}"

    def _write(self, controller: str, name: str, value: str | int) -> None:
        if not os.path.exists(f"{self._directory}/{name}"):
            raise Unsupported(f"{name}: the {controller} controller is not available in {self._root}")
        files.write(self._directory, name, value)

    def update(self, resources: Resources) -> None:
        """Set what is given; device rules are left out, as `confines_devices` says."""
        if resources.get("memory"):
            self._set_memory(resources["memory"])
        if resources.get("cpu"):
            self._set_cpu(resources["cpu"])
        if resources.get("pids"):
            self._write("pids", "pids.max", maximum(resources["pids"]["limit"]))

    def _set_memory(self, memory: Memory) -> None:
        limit, swap = memory.get("limit"), memory.get("swap")
        if limit is not None:
            self._write("memory", "memory.max", maximum(limit))
        if swap is not None:
            self._write("memory", "memory.swap.max", swap_alone(swap, limit))
        if "reservation" in memory:
            self._write("memory", "memory.low", maximum(memory["reservation"]))

    def _set_cpu(self, cpu: Cpu) -> None:
        if cpu.get("shares"):
            self._write("cpu", "cpu.weight", weight(cpu["shares"]))
        if cpu.get("quota") or cpu.get("period"):
            quota = cpu.get("quota", -1)
            self._write("cpu", "cpu.max", f"{maximum(quota)} {cpu.get('period') or DEFAULT_PERIOD}")
        if cpu.get("cpus"):
            self._write("cpuset", "cpuset.cpus", cpu["cpus"])
        if cpu.get("mems"):
            self._write("cpuset", "cpuset.mems", cpu["mems"])

    def entrances(self) -> list[str]:
        """One."""
        return [f"{self._directory}/cgroup.procs"]

    def pids(self) -> list[int]:
        """From cgroup.procs, here and below."""
        return files.pids(self._directory)

    def freeze(self, frozen: bool) -> None:
        """By cgroup.freeze; the kernel finishes it in the background, and cgroup.events tells when."""
        wanted = 1 if frozen else 0
        self._write("freezer", "cgroup.freeze", wanted)
        for _ in range(files.FREEZE_ATTEMPTS):
            if files.keyed(self._directory, "cgroup.events").get("frozen", wanted) == wanted:
                return
            time.sleep(files.FREEZE_PAUSE)
        self._write("freezer", "cgroup.freeze", 0)
        raise Unsupported(f"could not freeze {self._directory}: a process sleeps uninterruptibly")

    def kill(self, signal: int) -> None:
        """By cgroup.kill where the kernel has it (5.14), else frozen meanwhile."""
        if signal == signals.SIGKILL and os.path.exists(f"{self._directory}/cgroup.kill"):
            files.write(self._directory, "cgroup.kill", 1)
            return
        if not files.pids(self._directory):
            return
        self.freeze(True)
        try:
            files.signal_all(self._directory, signal)
        finally:
            self.freeze(False)

    def oom_kills(self) -> int:
        """From memory.events."""
        return files.keyed(self._directory, "memory.events").get("oom_kill", 0)

    def stats(self) -> Stats:
        """From the memory, cpu and pids controllers; microseconds become nanoseconds."""
        cpu = files.keyed(self._directory, "cpu.stat")
        return {
            "memory_usage": files.number(self._directory, "memory.current"),
            "memory_limit": files.limit(files.read(self._directory, "memory.max")),
            "cpu_usage": cpu.get("usage_usec", 0) * 1000,
            "cpu_throttled": cpu.get("throttled_usec", 0) * 1000,
            "pids_current": files.number(self._directory, "pids.current"),
            "pids_limit": files.limit(files.read(self._directory, "pids.max")),
        }

    def views(self, own_namespace: bool) -> list[View]:
        """The one tree."""
        return [View("", "cgroup2", "", [], "" if own_namespace else self._directory)]

    def delete(self) -> None:
        """The directory and those that the container made below it."""
        files.remove(self._directory)


def maximum(value: int) -> int | str:
    """A limit, in version 2's words."""
    return value if value > 0 else "max"


def weight(shares: int) -> int:
    """cpu.shares 2..262144 to cpu.weight 1..10000, linear, as runc converts."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def swap_alone(swap: int, limit: int | None) -> int | str:
    """The specification counts memory and swap together, version 2 swap alone."""
    if swap < 0:
        return "max"
    if limit is None or limit < 0:
        raise InvalidInput("linux.resources.memory.swap: needs memory.limit on cgroup v2")
    return swap - limit
