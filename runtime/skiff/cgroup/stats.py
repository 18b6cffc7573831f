"""What a container uses, in the same words for both versions: all that runc's events and Docker's /stats are drawn from.

Bytes, nanoseconds and counts. A limit that is none is the number with which the kernel, or runc for `max`, says so.
"""

from __future__ import annotations

from skiff.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Usage(TypedDict, total=False):
        """One counter with its limit; `max` is the most that it has been, `failcnt` how often the limit was hit."""

        usage: int
        max: int
        limit: int
        failcnt: int

    class Cpu(TypedDict):
        """Times since the group was made; the lists have an item for each processor, version 2 leaves them empty."""

        total: int
        user: int
        kernel: int
        percpu: list[int]
        percpu_user: list[int]
        percpu_kernel: list[int]
        periods: int
        throttled_periods: int
        throttled_time: int

    class Cpuset(TypedDict):
        """Which processors and memory nodes; `flags` by their file's name."""

        cpus: list[int]
        mems: list[int]
        flags: dict[str, int]

    class Memory(TypedDict):
        """`swap` is memory and swap together; `raw` is memory.stat."""

        cache: int
        usage: Usage
        swap: Usage
        kernel: Usage
        kernel_tcp: Usage
        raw: dict[str, int]

    class IoRow(TypedDict):
        """Bytes or operations of one kind on one device; `op` is empty where a file does not tell them apart."""

        major: int
        minor: int
        op: str
        value: int

    class Stats(TypedDict):
        """Everything; `io` is rows by what they count, `rdma` and `misc` usage and limit by device and resource."""

        cpu: Cpu
        cpuset: Cpuset
        memory: Memory
        pids: Usage
        io: dict[str, list[IoRow]]
        hugetlb: dict[str, Usage]
        rdma: dict[str, dict[str, Usage]]
        misc: dict[str, Usage]


UNLIMITED = (1 << 64) - 1


def numbers(text: str) -> list[int]:
    """A list of the kernel's: `0-2,5` is 0 1 2 5."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first:
            found.extend(range(int(first), int(last or first) + 1))
    return found


def limit(text: str) -> int:
    """A limit's number."""
    return UNLIMITED if text == "max" else int(text or 0)


def pids(directory: str) -> Usage:
    """Of both versions; no limit is 0."""
    most = files.read(directory, "pids.max")
    return {"usage": files.number(directory, "pids.current"), "limit": 0 if most == "max" else int(most or 0)}


def sizes(directory: str, suffix: str) -> list[str]:
    """The sizes of huge pages that the directory has files for."""
    names = (name.split(".") for name in files.names(directory) if name.startswith("hugetlb.") and name.endswith(suffix))
    return sorted(parts[1] for parts in names if "rsvd" not in parts)


def rdma(directory: str) -> dict[str, dict[str, Usage]]:
    """By device and resource, of both versions."""
    limits, used = _rdma_file(directory, "rdma.max"), _rdma_file(directory, "rdma.current")
    return {
        device: {name: {"usage": used.get(device, {}).get(name, 0), "limit": most} for name, most in row.items()}
        for device, row in limits.items()
    }


def _rdma_file(directory: str, name: str) -> dict[str, dict[str, int]]:
    found = {}
    for line in files.read(directory, name).splitlines():
        device, *pairs = line.split()
        found[device] = {key: limit(value) for key, _, value in (pair.partition("=") for pair in pairs)}
    return found


def misc(directory: str) -> dict[str, Usage]:
    """By resource, of both versions."""
    limits = dict(line.split() for line in files.read(directory, "misc.max").splitlines())
    used = files.keyed(directory, "misc.current")
    return {name: {"usage": used.get(name, 0), "limit": limit(most)} for name, most in limits.items()}
