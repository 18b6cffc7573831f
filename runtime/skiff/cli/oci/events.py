"""skiff-oci events: what a container uses and its OOM kills, one JSON document a line, as runc writes them."""

from __future__ import annotations

import json
import select
import time

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.errors import InvalidInput, NotFound, Unsupported, suppress
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.cgroup.manager import CgroupManager
    from skiff.cgroup.stats import Cpu, Memory, Stats, Usage
    from skiff.oci.store import Store

FLAGS = {"stats": options.FLAG, "interval": options.VALUE}
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}
# How soon the end of a container is noticed.
LOOK = 0.5
IO_NAMES = {
    "service_bytes": "ioServiceBytesRecursive", "serviced": "ioServicedRecursive", "queued": "ioQueueRecursive",
    "service_time": "ioServiceTimeRecursive", "wait_time": "ioWaitTimeRecursive", "merged": "ioMergedRecursive",
    "time": "ioTimeRecursive", "sectors": "sectorsRecursive",
}  # fmt: skip


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest)
    interval = duration(flags.get("interval", "5s"))
    state = containers.load(identity)
    status.require("watch", identity, state["status"])
    manager = open_manager(state["cgroup"])
    if "stats" in flags:
        _print("stats", identity, document(manager.stats()))
    else:
        _follow(containers, identity, manager, interval)
    return 0


def _print(kind: str, identity: str, data: Any = None) -> None:
    event = {"type": kind, "id": identity}
    print(json.dumps(event if data is None else {**event, "data": data}, separators=(",", ":")), flush=True)


def _follow(containers: Store, identity: str, manager: CgroupManager, interval: float) -> None:
    """Until the container ends."""
    poll, watch = select.poll(), None
    with suppress(Unsupported):  # without a memory controller there is no such kill
        watch = manager.oom_watch()
        poll.register(watch.fd, watch.mask)
    due = time.monotonic() + interval
    while True:
        if poll.poll(1000 * min(LOOK, max(0.0, due - time.monotonic()))) and watch is not None and watch.happened():
            _print("oom", identity)
        if not _lives(containers, identity):
            return
        if time.monotonic() >= due:
            due += interval
            _print("stats", identity, document(manager.stats()))


def _lives(containers: Store, identity: str) -> bool:
    try:
        return bool(containers.load(identity)["status"] != status.STOPPED)
    except NotFound:
        return False


def duration(text: str) -> float:
    """Seconds, of Go's notation: 5s, 1m30s, 100ms."""
    total, digits, rest = 0.0, "", text
    while rest:
        letter = rest[0]
        if letter in "0123456789.":
            digits, rest = digits + letter, rest[1:]
            continue
        unit = next((name for name in ("ms", "us", "ns", "h", "m", "s") if rest.startswith(name)), "")
        if not unit or not digits or digits.count(".") > 1 or digits == ".":
            break
        total, digits, rest = total + float(digits) * UNITS[unit], "", rest[len(unit) :]
    if rest or digits or total <= 0:
        raise InvalidInput(f"--interval {text}: a duration above 0 is wanted, as 5s or 1m30s")
    return total


def document(stats: Stats) -> dict[str, Any]:
    """Runc's names; like runc it leaves out most of what is 0."""
    return {
        "cpu": _cpu(stats["cpu"]),
        "cpuset": {
            **_without_zeros({"cpus": stats["cpuset"]["cpus"], "mems": stats["cpuset"]["mems"]}),
            **{name: stats["cpuset"]["flags"].get(name, 0) for name in CPUSET_FLAGS},
        },
        "memory": _memory(stats["memory"]),
        "pids": _without_zeros({"current": stats["pids"].get("usage", 0), "limit": stats["pids"].get("limit", 0)}),
        "blkio": {IO_NAMES[key]: [_without_zeros(dict(row)) for row in rows] for key, rows in stats["io"].items()},
        "hugetlb": {
            size: {**_without_zeros({"usage": row.get("usage", 0), "max": row.get("max", 0)}), "failcnt": row.get("failcnt", 0)}
            for size, row in stats["hugetlb"].items()
        },
        "intel_rdt": {},
        "network_interfaces": None,
    }


CPUSET_FLAGS = (
    "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
    "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
)  # fmt: skip


def _cpu(cpu: Cpu) -> dict[str, Any]:
    rows = {
        "total": cpu["total"], "percpu": cpu["percpu"], "percpu_kernel": cpu["percpu_kernel"], "percpu_user": cpu["percpu_user"],
    }  # fmt: skip
    throttling = {
        "periods": cpu["periods"], "throttledPeriods": cpu["throttled_periods"], "throttledTime": cpu["throttled_time"],
    }  # fmt: skip
    usage = {**_without_zeros(rows), "kernel": cpu["kernel"], "user": cpu["user"]}
    return {"usage": usage, "throttling": _without_zeros(throttling)}


def _memory(memory: Memory) -> dict[str, Any]:
    return {
        **_without_zeros({"cache": memory["cache"]}),
        "usage": _usage(memory["usage"]),
        "swap": _usage(memory["swap"]),
        "kernel": _usage(memory["kernel"]),
        "kernelTCP": _usage(memory["kernel_tcp"]),
        **_without_zeros({"raw": memory["raw"]}),
    }


def _usage(usage: Usage) -> dict[str, int]:
    optional = _without_zeros({"usage": usage.get("usage", 0), "max": usage.get("max", 0)})
    return {"limit": usage.get("limit", 0), **optional, "failcnt": usage.get("failcnt", 0)}


def _without_zeros(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
