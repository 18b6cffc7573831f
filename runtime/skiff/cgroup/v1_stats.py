"""Reads what a container uses from version 1's files; a controller that is not mounted counts nothing."""

from __future__ import annotations

import os

from skiff.cgroup import files, stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from skiff.cgroup.stats import Cpu, Cpuset, IoRow, Memory, Stats, Usage

NANOSECONDS_A_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
CPUSET_FLAGS = (
    "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
    "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
)  # fmt: skip
# By what is counted; the first set of files that says anything is taken, as runc does.
_ALL = {
    "service_bytes": "io_service_bytes", "serviced": "io_serviced", "queued": "io_queued", "service_time": "io_service_time",
    "wait_time": "io_wait_time", "merged": "io_merged", "time": "time", "sectors": "sectors",
}  # fmt: skip
_TRANSFERS = {"service_bytes": "io_service_bytes", "serviced": "io_serviced"}
IO_FILES = (
    {key: f"blkio.bfq.{name}_recursive" for key, name in _ALL.items()},
    {key: f"blkio.{name}_recursive" for key, name in _ALL.items()},
    {key: f"blkio.throttle.{name}_recursive" for key, name in _TRANSFERS.items()},
    {key: f"blkio.throttle.{name}" for key, name in _TRANSFERS.items()},
)


def read(directory: Callable[[str], str]) -> Stats:
    """Everything; `directory` gives a controller's, a path that does not exist for one that is not mounted."""
    return {
        "cpu": _cpu(directory("cpu"), directory("cpuacct")),
        "cpuset": _cpuset(directory("cpuset")),
        "memory": _memory(directory("memory")),
        "pids": stats.pids(directory("pids")),
        "io": _io(directory("blkio")),
        "hugetlb": _hugetlb(directory("hugetlb")),
        "rdma": stats.rdma(directory("rdma")),
        "misc": stats.misc(directory("misc")),
    }


def _cpu(cpu: str, cpuacct: str) -> Cpu:
    throttling, times = files.keyed(cpu, "cpu.stat"), files.keyed(cpuacct, "cpuacct.stat")
    rows = [line.split() for line in files.read(cpuacct, "cpuacct.usage_all").splitlines()[1:]]
    return {
        "total": files.number(cpuacct, "cpuacct.usage"),
        "user": times.get("user", 0) * NANOSECONDS_A_TICK,
        "kernel": times.get("system", 0) * NANOSECONDS_A_TICK,
        "percpu": [int(word) for word in files.read(cpuacct, "cpuacct.usage_percpu").split()],
        "percpu_user": [int(row[1]) for row in rows],
        "percpu_kernel": [int(row[2]) for row in rows],
        "periods": throttling.get("nr_periods", 0),
        "throttled_periods": throttling.get("nr_throttled", 0),
        "throttled_time": throttling.get("throttled_time", 0),
    }


def _cpuset(directory: str) -> Cpuset:
    return {
        "cpus": stats.numbers(files.read(directory, "cpuset.cpus")),
        "mems": stats.numbers(files.read(directory, "cpuset.mems")),
        "flags": {name: files.number(directory, f"cpuset.{name}") for name in CPUSET_FLAGS},
    }


def _memory(directory: str) -> Memory:
    raw = files.keyed(directory, "memory.stat")
    return {
        "cache": raw.get("cache", 0),
        "usage": _usage(directory, "memory"),
        "swap": _usage(directory, "memory.memsw"),
        "kernel": _usage(directory, "memory.kmem"),
        "kernel_tcp": _usage(directory, "memory.kmem.tcp"),
        "raw": raw,
    }


def _usage(directory: str, prefix: str) -> Usage:
    return {
        "usage": files.number(directory, f"{prefix}.usage_in_bytes"),
        "max": files.number(directory, f"{prefix}.max_usage_in_bytes"),
        "limit": files.number(directory, f"{prefix}.limit_in_bytes"),
        "failcnt": files.number(directory, f"{prefix}.failcnt"),
    }


def _io(directory: str) -> dict[str, list[IoRow]]:
    for names in IO_FILES:
        found = {key: _io_rows(files.read(directory, name)) for key, name in names.items()}
        if any(found.values()):
            return {key: rows for key, rows in found.items() if rows}
    return {}


def _io_rows(text: str) -> list[IoRow]:
    """`8:0 Read 4096` or `8:0 4096`; the sum over all devices at the end is left out."""
    rows: list[IoRow] = []
    for line in text.splitlines():
        device, *rest = line.split()
        if device != "Total" and rest:
            major, _, minor = device.partition(":")
            rows.append({"major": int(major), "minor": int(minor), "op": "".join(rest[:-1]), "value": int(rest[-1])})
    return rows


def _hugetlb(directory: str) -> dict[str, Usage]:
    return {size: _usage(directory, f"hugetlb.{size}") for size in stats.sizes(directory, ".limit_in_bytes")}
