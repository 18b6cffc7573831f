"""What this host is and what its kernel can limit, read from /proc and /sys each time that it is asked; changes nothing."""

from __future__ import annotations

import glob
import os
import platform
from dataclasses import dataclass
from typing import Mapping

CGROUP_ROOT = "/sys/fs/cgroup"
GO_ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Limits:
    """Which limits the kernel offers; the names are those of Docker's info, but for disks, which it only warns of."""

    memory: bool
    swap: bool
    kernel_memory: bool
    kernel_memory_tcp: bool
    oom_kill_disable: bool
    cpu_cfs_period: bool
    cpu_cfs_quota: bool
    cpu_shares: bool
    cpuset: bool
    pids: bool
    disks: bool


def architecture() -> str:
    """The machine's architecture under Go's name for it, as images and the API spell it."""
    machine = platform.machine()
    return GO_ARCHITECTURES.get(machine, machine)


def os_release() -> dict[str, str]:
    """The fields of os-release."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                pairs = [line.strip().partition("=") for line in file if "=" in line and not line.startswith("#")]
        except OSError:
            continue
        return {key: value.strip("\"'") for key, _, value in pairs}
    return {}


def memory_total() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpu_count() -> int:
    """The CPUs that this process may run on, which is what containers get."""
    return len(os.sched_getaffinity(0))


def open_files() -> int:
    """File descriptors that this process holds."""
    return len(os.listdir("/proc/self/fd"))


def cgroup_version() -> int:
    """2 where the unified hierarchy is the only one, else 1."""
    return 2 if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers") else 1


def limits() -> Limits:
    """The limits that containers can be given here."""
    return _limits_v2() if cgroup_version() == 2 else _limits_v1()


def _limits_v1() -> Limits:
    def offers(controller: str, file: str) -> bool:
        return os.path.exists(f"{CGROUP_ROOT}/{controller}/{file}")

    return Limits(
        memory=offers("memory", "memory.limit_in_bytes"),
        swap=offers("memory", "memory.memsw.limit_in_bytes"),
        kernel_memory=offers("memory", "memory.kmem.limit_in_bytes"),
        kernel_memory_tcp=offers("memory", "memory.kmem.tcp.limit_in_bytes"),
        oom_kill_disable=offers("memory", "memory.oom_control"),
        cpu_cfs_period=offers("cpu", "cpu.cfs_period_us"),
        cpu_cfs_quota=offers("cpu", "cpu.cfs_quota_us"),
        cpu_shares=offers("cpu", "cpu.shares"),
        cpuset=offers("cpuset", "cpuset.cpus"),
        pids=os.path.isdir(f"{CGROUP_ROOT}/pids"),
        disks=offers("blkio", "blkio.throttle.read_bps_device"),
    )


def _limits_v2() -> Limits:
    with open(f"{CGROUP_ROOT}/cgroup.controllers", encoding="ascii") as file:
        controllers = file.read().split()
    cpu, memory = "cpu" in controllers, "memory" in controllers
    # The root group has no memory.swap.max, so look one level down; with no group there, believe the controller.
    below = glob.glob(f"{CGROUP_ROOT}/*/memory.max")
    return Limits(
        memory=memory,
        swap=memory and (not below or bool(glob.glob(f"{CGROUP_ROOT}/*/memory.swap.max"))),
        kernel_memory=False,
        kernel_memory_tcp=False,
        oom_kill_disable=False,
        cpu_cfs_period=cpu,
        cpu_cfs_quota=cpu,
        cpu_shares=cpu,
        cpuset="cpuset" in controllers,
        pids="pids" in controllers,
        disks="io" in controllers,
    )


def sysctl_on(name: str) -> bool:
    """Whether a switch under /proc/sys is there and not 0."""
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip() not in ("", "0")
    except OSError:
        return False


def has_sysctl(name: str) -> bool:
    """Whether this kernel has a switch under /proc/sys."""
    return os.path.exists(f"/proc/sys/{name}")
