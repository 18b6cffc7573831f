"""linux.resources as properties of a systemd unit: what systemd knows of, so that it does not undo what is written beside it."""

from __future__ import annotations

from skiff.cgroup import device_rules, stats, v2_settings
from skiff.cgroup.device_rules import ANY
from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.types import BlockIO, Cpu, DeviceRule, Memory, Resources

    Property = tuple[str, tuple[str, Any]]

INFINITY = (1 << 64) - 1
DEFAULT_PERIOD = 100_000
# systemd keeps a quota as a whole percentage of one processor: this many microseconds a second.
QUOTA_STEP = 10_000
# Files of version 2 whose value is one number or `max`.
UNIFIED = {
    "cpu.weight": "CPUWeight",
    "io.weight": "IOWeight",
    "memory.min": "MemoryMin",
    "memory.low": "MemoryLow",
    "memory.high": "MemoryHigh",
    "memory.max": "MemoryMax",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
}


def properties(resources: Resources, version: int) -> list[Property]:
    """The limits, without devices."""
    made: list[Property] = []
    made += _memory(resources.get("memory") or {}, version)
    made += _cpu(resources.get("cpu") or {}, version)
    if resources.get("pids"):
        made.append(("TasksMax", ("t", _limit(resources["pids"]["limit"]))))
    made += _block_io(resources.get("blockIO") or {}, version)
    for name, value in (resources.get("unified") or {}).items():
        if name in UNIFIED and (value == "max" or value.isdigit()):
            made.append((UNIFIED[name], ("t", INFINITY if value == "max" else int(value))))
        elif name in ("cpuset.cpus", "cpuset.mems"):
            made.append(_cpuset(name.partition(".")[2], value))
    return made


def _limit(value: int) -> int:
    return value if value > 0 else INFINITY


def _memory(memory: Memory, version: int) -> list[Property]:
    made: list[Property] = []
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit:
        made.append(("MemoryMax" if version == 2 else "MemoryLimit", ("t", _limit(limit))))
    if version == 2 and memory.get("reservation"):
        made.append(("MemoryLow", ("t", _limit(memory["reservation"]))))
    if version == 2 and swap and (limit or swap < 0):
        alone = v2_settings.swap_alone(swap, limit)
        made.append(("MemorySwapMax", ("t", INFINITY if alone == "max" else int(alone))))
    return made


def _cpu(cpu: Cpu, version: int) -> list[Property]:
    made: list[Property] = []
    if cpu.get("shares"):
        shares = cpu["shares"]
        made.append(("CPUWeight", ("t", v2_settings.weight(shares))) if version == 2 else ("CPUShares", ("t", shares)))
    if cpu.get("quota"):
        made.append(("CPUQuotaPerSecUSec", ("t", quota(cpu["quota"], cpu.get("period") or DEFAULT_PERIOD))))
    if cpu.get("period"):
        made.append(("CPUQuotaPeriodUSec", ("t", cpu["period"])))
    if version == 2:
        made += [_cpuset(key, value) for key, value in (("cpus", cpu.get("cpus")), ("mems", cpu.get("mems"))) if value]
    return made


def quota(microseconds: int, period: int) -> int:
    """Microseconds a second, rounded up to what systemd can keep."""
    if microseconds < 0:
        return INFINITY
    return -(-microseconds * 1_000_000 // (period * QUOTA_STEP)) * QUOTA_STEP


def _cpuset(key: str, value: str) -> Property:
    """A bit for each number, the lowest byte first."""
    mask = sum(1 << number for number in set(stats.numbers(value)))
    name = "AllowedCPUs" if key == "cpus" else "AllowedMemoryNodes"
    return name, ("ay", list(mask.to_bytes((mask.bit_length() + 7) // 8, "little")))


def _block_io(io: BlockIO, version: int) -> list[Property]:
    if not io.get("weight"):
        return []
    if version == 2:
        return [("IOWeight", ("t", v2_settings.io_weight(io["weight"], "weight")))]
    return [("BlockIOWeight", ("t", io["weight"]))]


def devices(rules: list[DeviceRule], version: int) -> list[Property]:
    """What systemd is to allow; where it has no words for the rules it is to allow everything, and ours alone decide."""
    try:
        granted = device_rules.Granted(device_rules.complete(rules))
    except Unsupported:
        if version == 1:
            raise
        granted = device_rules.Granted([device_rules.Rule(True, "a", ANY, ANY, device_rules.ALL)])
    if granted.allow:
        return [("DevicePolicy", ("s", "auto")), ("DeviceAllow", ("a(ss)", []))]
    rows = [
        (_device(*key), "".join(sorted(access)))
        for key, access in granted.exceptions.items()
        if key[1:] == (ANY, ANY) or key[1] != ANY
    ]
    return [("DevicePolicy", ("s", "strict")), ("DeviceAllow", ("a(ss)", rows))]


def _device(kind: str, major: int, minor: int) -> str:
    name = {"c": "char", "b": "block"}[kind]
    return f"{name}-{device_rules.number(major)}" if minor == ANY else f"/dev/{name}/{major}:{minor}"
