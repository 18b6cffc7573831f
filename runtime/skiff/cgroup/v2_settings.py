"""What linux.resources means in version 2: which value goes to which file, converted as runc does; nothing is written here."""

from __future__ import annotations

from skiff.cgroup import v1_settings
from skiff.cgroup.setting import Setting
from skiff.errors import InvalidInput, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from skiff.cgroup.setting import Probe
    from skiff.spec.types import BlockIO, Cpu, Memory, Resources, ThrottleDevice

DEFAULT_PERIOD = 100_000
IO_WEIGHTS = (10, 1000)
THROTTLES = (
    ("throttleReadBpsDevice", "rbps"),
    ("throttleWriteBpsDevice", "wbps"),
    ("throttleReadIOPSDevice", "riops"),
    ("throttleWriteIOPSDevice", "wiops"),
)
# Version 2 has nothing like them, and a container that asks for one would get something else.
ABSENT = (
    ("memory", "kernel"),
    ("memory", "kernelTCP"),
    ("memory", "swappiness"),
    ("memory", "disableOOMKiller"),
    ("cpu", "realtimeRuntime"),
    ("cpu", "realtimePeriod"),
    ("blockIO", "leafWeight"),
    ("network", "classID"),
    ("network", "priorities"),
)


def settings(resources: Resources, has: Probe, read: Callable[[str], str]) -> list[Setting]:
    """All but the device rules, in the order to write them.

    `has` tells whether a controller has a file, `read` what stands in one now: a file of two values keeps the one that
    is not given.
    """
    for section, key in ABSENT:
        given: dict[str, object] = resources.get(section) or {}  # type: ignore[assignment]  # a section is one of three tables
        if given.get(key) or (key == "swappiness" and given.get(key) is not None):
            raise Unsupported(f"linux.resources.{section}.{key}: cgroup v2 does not have it: leave it out")
    made: list[Setting] = []
    made += _memory(resources.get("memory") or {}, read)
    made += _cpu(resources.get("cpu") or {}, read)
    if resources.get("pids"):
        made.append(Setting("pids", "pids.max", maximum(resources["pids"]["limit"]), "pids.limit"))
    made += _block_io(resources.get("blockIO") or {}, has)
    made += v1_settings.hugepages(resources.get("hugepageLimits") or [], "max", has)
    made += v1_settings.rdma(resources.get("rdma") or {})
    for name, value in (resources.get("unified") or {}).items():
        # Last, and so above the others: whoever writes it means this very file.
        made.append(Setting(name.partition(".")[0], name, value, f"unified.{name}"))
    return made


def _memory(memory: Memory, read: Callable[[str], str]) -> list[Setting]:
    made = []
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit:
        made.append(Setting("memory", "memory.max", maximum(limit), "memory.limit"))
    if limit == -1 and not swap:
        swap = -1
    if swap:
        now = read("memory.max")
        known = limit or (int(now) if now.isdigit() else None)
        made.append(Setting("memory", "memory.swap.max", swap_alone(swap, known), "memory.swap"))
    if memory.get("reservation"):
        made.append(Setting("memory", "memory.low", maximum(memory["reservation"]), "memory.reservation"))
    return made


def _cpu(cpu: Cpu, read: Callable[[str], str]) -> list[Setting]:
    made = []
    if cpu.get("idle") is not None:
        # Before the weight, which the kernel refuses to an idle group.
        made.append(Setting("cpu", "cpu.idle", cpu["idle"], "cpu.idle"))
    if cpu.get("shares"):
        made.append(Setting("cpu", "cpu.weight", weight(cpu["shares"]), "cpu.shares"))
    if cpu.get("quota") or cpu.get("period"):
        now = read("cpu.max").split() or ["max"]
        quota = maximum(cpu["quota"]) if cpu.get("quota") else now[0]
        period = cpu.get("period") or (now[1] if len(now) > 1 else DEFAULT_PERIOD)
        made.append(Setting("cpu", "cpu.max", f"{quota} {period}", "cpu.quota" if cpu.get("quota") else "cpu.period"))
    if cpu.get("burst") is not None:
        made.append(Setting("cpu", "cpu.max.burst", cpu["burst"], "cpu.burst"))
    for key, value in (("cpus", cpu.get("cpus")), ("mems", cpu.get("mems"))):
        if value:
            made.append(Setting("cpuset", f"cpuset.{key}", value, f"cpu.{key}"))
    return made


def _block_io(io: BlockIO, has: Probe) -> list[Setting]:
    """BFQ takes version 1's numbers, the kernel's own cost model has a scale of its own."""
    bfq = has("io", "io.bfq.weight")
    name = "io.bfq.weight" if bfq else "io.weight"
    made: list[Setting] = []
    if io.get("weight"):
        made.append(Setting("io", name, io["weight"] if bfq else io_weight(io["weight"], "weight"), "blockIO.weight"))
    for device in io.get("weightDevice") or ():
        if device.get("leafWeight"):
            raise Unsupported("linux.resources.blockIO.weightDevice.leafWeight: cgroup v2 does not have it: leave it out")
        if device.get("weight"):
            value = device["weight"] if bfq else io_weight(device["weight"], "weightDevice.weight")
            made.append(Setting("io", name, f"{device['major']}:{device['minor']} {value}", "blockIO.weightDevice"))
    for key, word in THROTTLES:
        limits: list[ThrottleDevice] = io.get(key) or []  # type: ignore[assignment]  # the key is one of four literals
        values = [f"{row['major']}:{row['minor']} {word}={row['rate'] or 'max'}" for row in limits]
        made += [Setting("io", "io.max", value, f"blockIO.{key}") for value in values]
    return made


def maximum(value: int) -> int | str:
    """A limit, in version 2's words."""
    return value if value > 0 else "max"


def weight(shares: int) -> int:
    """cpu.shares 2..262144 to cpu.weight 1..10000, linear, as runc converts."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def io_weight(weight: int, key: str) -> int:
    """blkio.weight 10..1000 to io.weight 1..10000, linear, as runc converts; InvalidInput for others, naming blockIO's `key`."""
    if not IO_WEIGHTS[0] <= weight <= IO_WEIGHTS[1]:
        raise InvalidInput(f"linux.resources.blockIO.{key}: {weight} must be between {IO_WEIGHTS[0]} and {IO_WEIGHTS[1]}")
    return 1 + (weight - 10) * 9999 // 990


def swap_alone(swap: int, limit: int | None) -> int | str:
    """The specification counts memory and swap together, version 2 swap alone."""
    if swap < 0:
        return "max"
    if limit is None or limit < 0:
        raise InvalidInput("linux.resources.memory.swap: needs memory.limit on cgroup v2")
    if swap < limit:
        raise InvalidInput(f"linux.resources.memory.swap: is memory and swap together: it must not be below the limit, {limit}")
    return swap - limit
