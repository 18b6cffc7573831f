"""Checks what a HostConfig asks of the kernel, in dockerd's wording, and turns it into OCI's linux.resources."""

from __future__ import annotations

from typing import Any, Mapping

from skiff.engine import fields, host
from skiff.errors import InvalidInput

MIN_MEMORY = 6 << 20
NANO = 1_000_000_000
CFS_PERIOD = 100_000


def check(config: Mapping[str, Any]) -> list[str]:
    """Refuse what cannot be; the warnings for what this kernel leaves without effect."""
    kernel = host.limits()
    _check_memory(config, kernel)
    _check_cpu(config, kernel)
    warnings = []
    if config["Memory"] > 0 and config["MemorySwap"] != -1 and not kernel.swap:
        warnings.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
        )
    if (config["PidsLimit"] or 0) > 0 and not kernel.pids:
        raise InvalidInput("Your kernel does not support pids limit capabilities or the cgroup is not mounted")
    return warnings


def _check_memory(config: Mapping[str, Any], kernel: host.Limits) -> None:
    memory, swap = config["Memory"], config["MemorySwap"]
    if 0 < memory < MIN_MEMORY:
        raise InvalidInput("Minimum memory limit allowed is 6MB")
    if memory < 0:
        raise InvalidInput(f"invalid memory limit: {memory}")
    if memory and not kernel.memory:
        raise InvalidInput("Your kernel does not support memory limit capabilities or the cgroup is not mounted")
    if memory and 0 < swap < memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not memory and swap > 0:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage")
    if config["ShmSize"] < 0:
        raise InvalidInput("SHM size can not be less than 0")


def _check_cpu(config: Mapping[str, Any], kernel: host.Limits) -> None:
    nano, period, quota, shares = (config[name] for name in ("NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares"))
    if nano and (period or quota):
        raise InvalidInput("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.")
    if (nano or quota) and not kernel.cpu_cfs_quota:
        raise InvalidInput("Your kernel does not support CPU CFS quota or the cgroup is not mounted")
    count = host.cpu_count()
    if nano < 0 or nano > count * NANO:
        raise InvalidInput(f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    if period and not 1_000 <= period <= 1_000_000:
        raise InvalidInput("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1_000:
        raise InvalidInput("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if shares < 0:
        raise InvalidInput(f"invalid CPU shares: {shares}")


def complete(config: dict[str, Any]) -> None:
    """Fill in what dockerd does: as much swap again as memory, no pids limit and the default shm for 0."""
    if config["Memory"] > 0 and config["MemorySwap"] == 0:
        config["MemorySwap"] = 2 * config["Memory"]
    config["PidsLimit"] = config["PidsLimit"] or None
    config["ShmSize"] = config["ShmSize"] or fields.HOST_CONFIG["ShmSize"].default


def resources(config: Mapping[str, Any]) -> dict[str, Any]:
    """OCI's linux.resources but for devices, which the default spec has."""
    made: dict[str, Any] = {}
    if config["Memory"]:
        made["memory"] = {"limit": config["Memory"]}
        if config["MemorySwap"] and host.limits().swap:
            made["memory"]["swap"] = config["MemorySwap"]
    cpu = _cpu(config)
    if cpu:
        made["cpu"] = cpu
    if config["PidsLimit"]:
        made["pids"] = {"limit": config["PidsLimit"]}
    return made


def _cpu(config: Mapping[str, Any]) -> dict[str, int]:
    cpu = {}
    if config["CpuShares"]:
        cpu["shares"] = config["CpuShares"]
    if config["NanoCpus"]:
        cpu["period"] = CFS_PERIOD
        cpu["quota"] = config["NanoCpus"] * CFS_PERIOD // NANO
    if config["CpuPeriod"]:
        cpu["period"] = config["CpuPeriod"]
    if config["CpuQuota"]:
        cpu["quota"] = config["CpuQuota"]
    return cpu
