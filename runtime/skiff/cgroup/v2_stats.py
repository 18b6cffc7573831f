"""Reads what a container uses from version 2's files, in version 1's units where they differ."""

from __future__ import annotations

from skiff.cgroup import files, stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.stats import Cpu, IoRow, Memory, Stats, Usage

IO_WORDS = {
    "rbytes": ("service_bytes", "Read"),
    "wbytes": ("service_bytes", "Write"),
    "rios": ("serviced", "Read"),
    "wios": ("serviced", "Write"),
}


def read(directory: str) -> Stats:
    """Everything that the group's controllers tell."""
    return {
        "cpu": _cpu(directory),
        "cpuset": {
            "cpus": stats.numbers(files.read(directory, "cpuset.cpus")),
            "mems": stats.numbers(files.read(directory, "cpuset.mems")),
            "flags": {},
        },
        "memory": _memory(directory),
        "pids": stats.pids(directory),
        "io": _io(files.read(directory, "io.stat")),
        "hugetlb": {size: _hugetlb(directory, size) for size in stats.sizes(directory, ".max")},
        "rdma": stats.rdma(directory),
        "misc": stats.misc(directory),
    }


def _cpu(directory: str) -> Cpu:
    """Microseconds there, nanoseconds here."""
    found = files.keyed(directory, "cpu.stat")
    return {
        "total": found.get("usage_usec", 0) * 1000,
        "user": found.get("user_usec", 0) * 1000,
        "kernel": found.get("system_usec", 0) * 1000,
        "percpu": [],
        "percpu_user": [],
        "percpu_kernel": [],
        "periods": found.get("nr_periods", 0),
        "throttled_periods": found.get("nr_throttled", 0),
        "throttled_time": found.get("throttled_usec", 0) * 1000,
    }


def _memory(directory: str) -> Memory:
    """Swap is counted alone there, with memory here; memory.peak is there since Linux 5.19."""
    raw = files.keyed(directory, "memory.stat")
    events = files.keyed(directory, "memory.events")
    usage: Usage = {
        "usage": files.number(directory, "memory.current"),
        "max": files.number(directory, "memory.peak"),
        "limit": stats.limit(files.read(directory, "memory.max")),
        "failcnt": events.get("max", 0),
    }
    swap_limit = stats.limit(files.read(directory, "memory.swap.max"))
    unlimited = stats.UNLIMITED in (swap_limit, usage["limit"])
    return {
        "cache": raw.get("file", 0),
        "usage": usage,
        "swap": {
            "usage": usage["usage"] + files.number(directory, "memory.swap.current"),
            "limit": stats.UNLIMITED if unlimited else swap_limit + usage["limit"],
            "failcnt": files.keyed(directory, "memory.swap.events").get("max", 0),
        },
        "kernel": {"usage": raw.get("kernel", 0)},
        "kernel_tcp": {"usage": raw.get("sock", 0)},
        "raw": raw,
    }


def _io(text: str) -> dict[str, list[IoRow]]:
    found: dict[str, list[IoRow]] = {}
    for line in text.splitlines():
        device, *pairs = line.split()
        major, _, minor = device.partition(":")
        for pair in pairs:
            word, _, value = pair.partition("=")
            if word in IO_WORDS:
                key, op = IO_WORDS[word]
                found.setdefault(key, []).append({"major": int(major), "minor": int(minor), "op": op, "value": int(value)})
    return found


def _hugetlb(directory: str, size: str) -> Usage:
    return {
        "usage": files.number(directory, f"hugetlb.{size}.current"),
        "limit": stats.limit(files.read(directory, f"hugetlb.{size}.max")),
        "failcnt": files.keyed(directory, f"hugetlb.{size}.events").get("max", 0),
    }
