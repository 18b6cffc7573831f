"""What linux.resources means in version 1: which value goes to which file; nothing is written here."""

from __future__ import annotations

from skiff.cgroup.setting import Setting
from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.setting import Probe
    from skiff.spec.types import BlockIO, Cpu, HugepageLimit, Memory, NetworkClass, RdmaLimit, Resources, ThrottleDevice

THROTTLES = (
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
)


def settings(resources: Resources, has: Probe) -> list[Setting]:
    """All but the device rules, in the order to write them; `has` tells whether a controller has a file."""
    if resources.get("unified"):
        raise Unsupported("linux.resources.unified: is for cgroup v2, and this host has v1: use the other keys")
    made: list[Setting] = []
    made += _memory(resources.get("memory") or {}, has)
    made += _cpu(resources.get("cpu") or {})
    if resources.get("pids"):
        limit = resources["pids"]["limit"]
        made.append(Setting("pids", "pids.max", limit if limit > 0 else "max", "pids.limit"))
    made += _block_io(resources.get("blockIO") or {}, has)
    made += hugepages(resources.get("hugepageLimits") or [], "limit_in_bytes", has)
    made += _network(resources.get("network") or {})
    made += rdma(resources.get("rdma") or {})
    return made


def _memory(memory: Memory, has: Probe) -> list[Setting]:
    limit, swap = memory.get("limit"), memory.get("swap")
    swap_file = "memory.memsw.limit_in_bytes"
    if limit == -1 and not swap and has("memory", swap_file):
        swap = -1  # else it would go on to limit both
    if swap and not has("memory", swap_file):
        raise Unsupported("memory.swap: this kernel does not account swap (boot it with swapaccount=1)")
    rows = (
        ("limit", "memory.limit_in_bytes", limit),
        ("swap", swap_file, swap),
        ("reservation", "memory.soft_limit_in_bytes", memory.get("reservation")),
        ("kernel", "memory.kmem.limit_in_bytes", memory.get("kernel")),
        ("kernelTCP", "memory.kmem.tcp.limit_in_bytes", memory.get("kernelTCP")),
    )
    made = [Setting("memory", name, value, f"memory.{key}") for key, name, value in rows if value]
    if memory.get("swappiness") is not None:
        made.append(Setting("memory", "memory.swappiness", memory["swappiness"], "memory.swappiness"))
    if memory.get("disableOOMKiller") is not None:
        made.append(Setting("memory", "memory.oom_control", int(memory["disableOOMKiller"]), "memory.disableOOMKiller"))
    if memory.get("useHierarchy"):
        # First, for it is refused once there are groups below.
        made.insert(0, Setting("memory", "memory.use_hierarchy", 1, "memory.useHierarchy"))
    return made


def _cpu(cpu: Cpu) -> list[Setting]:
    rows = (
        ("cpu", "shares", "cpu.shares", cpu.get("shares")),
        ("cpu", "period", "cpu.cfs_period_us", cpu.get("period")),
        ("cpu", "quota", "cpu.cfs_quota_us", cpu.get("quota")),
        ("cpu", "realtimePeriod", "cpu.rt_period_us", cpu.get("realtimePeriod")),
        ("cpu", "realtimeRuntime", "cpu.rt_runtime_us", cpu.get("realtimeRuntime")),
        ("cpuset", "cpus", "cpuset.cpus", cpu.get("cpus")),
        ("cpuset", "mems", "cpuset.mems", cpu.get("mems")),
    )
    made = [Setting(controller, name, value, f"cpu.{key}") for controller, key, name, value in rows if value]
    for key, name, value in (("burst", "cpu.cfs_burst_us", cpu.get("burst")), ("idle", "cpu.idle", cpu.get("idle"))):
        if value is not None:
            made.append(Setting("cpu", name, value, f"cpu.{key}"))
    return made


def _block_io(io: BlockIO, has: Probe) -> list[Setting]:
    """Weights are the BFQ scheduler's where the kernel has that, else CFQ's (before Linux 5.0)."""
    prefix = "blkio.bfq" if has("blkio", "blkio.bfq.weight") else "blkio"
    rows: list[tuple[str, str, str, int | None]] = [
        ("weight", f"{prefix}.weight", "", io.get("weight")),
        ("leafWeight", "blkio.leaf_weight", "", io.get("leafWeight")),
    ]
    for device in io.get("weightDevice") or ():
        numbers = f"{device['major']}:{device['minor']} "
        rows.append(("weightDevice", f"{prefix}.weight_device", numbers, device.get("weight")))
        rows.append(("weightDevice", "blkio.leaf_weight_device", numbers, device.get("leafWeight")))
    made = [Setting("blkio", name, f"{numbers}{value}", f"blockIO.{key}") for key, name, numbers, value in rows if value]
    for key, name in THROTTLES:
        limits: list[ThrottleDevice] = io.get(key) or []  # type: ignore[assignment]  # the key is one of four literals
        made += [Setting("blkio", name, f"{row['major']}:{row['minor']} {row['rate']}", f"blockIO.{key}") for row in limits]
    return made


def _network(network: NetworkClass) -> list[Setting]:
    made = [
        Setting("net_prio", "net_prio.ifpriomap", f"{row['name']} {row['priority']}", "network.priorities")
        for row in network.get("priorities") or ()
    ]
    if network.get("classID"):
        made.append(Setting("net_cls", "net_cls.classid", network["classID"], "network.classID"))
    return made


def hugepages(limits: list[HugepageLimit], suffix: str, has: Probe) -> list[Setting]:
    """Of both versions; what is reserved is limited too where the kernel accounts that (5.7), or mmap would fail late."""
    rows = [(f"hugetlb.{row['pageSize']}{part}.{suffix}", row["limit"]) for row in limits for part in ("", ".rsvd")]
    return [
        Setting("hugetlb", name, limit, "hugepageLimits") for name, limit in rows if ".rsvd." not in name or has("hugetlb", name)
    ]


def rdma(devices: dict[str, RdmaLimit]) -> list[Setting]:
    """Of both versions."""
    made = []
    for device, limits in devices.items():
        words = [device]
        for name, value in (("hca_handle", limits.get("hcaHandles")), ("hca_object", limits.get("hcaObjects"))):
            if value is not None:
                words.append(f"{name}={value}")
        if len(words) > 1:
            made.append(Setting("rdma", "rdma.max", " ".join(words), "rdma"))
    return made
