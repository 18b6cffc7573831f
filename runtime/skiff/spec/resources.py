"""Checks linux.resources of a config.json, and the same document when it is given to `update`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.fields import Checker

INT64 = 1 << 63
UINT64 = 1 << 64
UINT32 = 1 << 32
UINT16 = 1 << 16
SHARES = (2, 262144)
SIZE_UNITS = ("KB", "MB", "GB", "TB", "PB", "EB")
THROTTLES = ("throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice")


def check_resources(check: Checker, key: str, resources: dict[str, Any]) -> None:
    """Raises for the first field that is wrong; `key` is where the document stands, `linux.resources`."""
    for index, rule in enumerate(check.rows(_join(key, "devices"), resources.get("devices"))):
        _device_rule(check, f"{_join(key, 'devices')}[{index}]", rule)
    _memory(check, _join(key, "memory"), check.optional_table(_join(key, "memory"), resources.get("memory")))
    _cpu(check, _join(key, "cpu"), check.optional_table(_join(key, "cpu"), resources.get("cpu")))
    if resources.get("pids") is not None:
        pids = check.table(_join(key, "pids"), resources["pids"])
        check.number(_join(key, "pids.limit"), pids.get("limit"), -INT64, INT64 - 1)
    _block_io(check, _join(key, "blockIO"), check.optional_table(_join(key, "blockIO"), resources.get("blockIO")))
    _hugepages(check, _join(key, "hugepageLimits"), resources.get("hugepageLimits"))
    _network(check, _join(key, "network"), check.optional_table(_join(key, "network"), resources.get("network")))
    _rdma(check, _join(key, "rdma"), check.optional_table(_join(key, "rdma"), resources.get("rdma")))
    _unified(check, _join(key, "unified"), check.optional_table(_join(key, "unified"), resources.get("unified")))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _device_rule(check: Checker, key: str, rule: dict[str, Any]) -> None:
    check.flag(f"{key}.allow", rule.get("allow"))
    if (rule.get("type") or "a") not in ("a", "b", "c"):
        raise check.wrong(f"{key}.type", "must be a, b or c")
    if set(check.optional_text(f"{key}.access", rule.get("access"))) - set("rwm"):
        raise check.wrong(f"{key}.access", "must be made of r, w and m")
    for name in ("major", "minor"):
        check.optional_number(f"{key}.{name}", rule.get(name), -1, INT64 - 1)


def _memory(check: Checker, key: str, memory: dict[str, Any]) -> None:
    for name in ("limit", "reservation", "swap", "kernel", "kernelTCP"):
        check.optional_number(f"{key}.{name}", memory.get(name), -1, INT64 - 1)
    check.optional_number(f"{key}.swappiness", memory.get("swappiness"), 0, 100)
    for name in ("disableOOMKiller", "useHierarchy", "checkBeforeUpdate"):
        check.optional_flag(f"{key}.{name}", memory.get(name))
    limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
    if 0 < swap < limit:
        raise check.wrong(f"{key}.swap", f"is memory and swap together: it must not be below the limit, {limit}")


def _cpu(check: Checker, key: str, cpu: dict[str, Any]) -> None:
    if cpu.get("shares") != 0:
        check.optional_number(f"{key}.shares", cpu.get("shares"), *SHARES)  # the kernel would take the nearest of these instead
    for name in ("quota", "period", "realtimeRuntime", "realtimePeriod"):
        check.optional_number(f"{key}.{name}", cpu.get(name), -1, INT64 - 1)
    check.optional_number(f"{key}.burst", cpu.get("burst"), 0, INT64 - 1)
    check.optional_number(f"{key}.idle", cpu.get("idle"), 0, 1)
    for name in ("cpus", "mems"):
        if set(check.optional_text(f"{key}.{name}", cpu.get(name))) - set("0123456789,- \n"):
            raise check.wrong(f"{key}.{name}", "must be a list of numbers and ranges, as 0-2,5")


def _block_io(check: Checker, key: str, io: dict[str, Any]) -> None:
    for name in ("weight", "leafWeight"):
        _weight(check, f"{key}.{name}", io.get(name))
    for index, device in enumerate(check.rows(f"{key}.weightDevice", io.get("weightDevice"))):
        row = f"{key}.weightDevice[{index}]"
        _numbers_of_device(check, row, device)
        for name in ("weight", "leafWeight"):
            _weight(check, f"{row}.{name}", device.get(name))
    for kind in THROTTLES:
        for index, device in enumerate(check.rows(f"{key}.{kind}", io.get(kind))):
            row = f"{key}.{kind}[{index}]"
            _numbers_of_device(check, row, device)
            check.number(f"{row}.rate", device.get("rate"), 0, UINT64 - 1)


def _weight(check: Checker, key: str, value: Any) -> None:
    check.optional_number(key, value, 0, UINT16 - 1)  # 0 is none; which of the others are right depends on the kernel's scheduler


def _numbers_of_device(check: Checker, key: str, device: dict[str, Any]) -> None:
    for name in ("major", "minor"):
        check.number(f"{key}.{name}", device.get(name), 0, UINT32 - 1)


def _hugepages(check: Checker, key: str, limits: Any) -> None:
    for index, limit in enumerate(check.rows(key, limits)):
        size = check.text(f"{key}[{index}].pageSize", limit.get("pageSize"))
        if not size[:-2].isdigit() or size[-2:] not in SIZE_UNITS:
            raise check.wrong(f"{key}[{index}].pageSize", "must be a number and a unit, as 2MB or 1GB")
        check.number(f"{key}[{index}].limit", limit.get("limit"), 0, UINT64 - 1)


def _network(check: Checker, key: str, network: dict[str, Any]) -> None:
    check.optional_number(f"{key}.classID", network.get("classID"), 0, UINT32 - 1)
    for index, row in enumerate(check.rows(f"{key}.priorities", network.get("priorities"))):
        name = check.text(f"{key}.priorities[{index}].name", row.get("name"))
        if not name or any(letter.isspace() for letter in name):
            raise check.wrong(f"{key}.priorities[{index}].name", "must be an interface's name")
        check.number(f"{key}.priorities[{index}].priority", row.get("priority"), 0, UINT32 - 1)


def _rdma(check: Checker, key: str, devices: dict[str, Any]) -> None:
    for name, value in devices.items():
        if not check.text(key, name) or any(letter.isspace() for letter in name):
            raise check.wrong(key, f"{name!r} is no device's name")
        limits = check.table(f"{key}.{name}", value)
        for field in ("hcaHandles", "hcaObjects"):
            check.optional_number(f"{key}.{name}.{field}", limits.get(field), 0, UINT32 - 1)


def _unified(check: Checker, key: str, files: dict[str, Any]) -> None:
    for name, value in files.items():
        controller, dot, _ = check.text(key, name).partition(".")
        if "/" in name or not controller or not dot:
            raise check.wrong(key, f"{name!r} must be the name of a cgroup file, as memory.high")
        check.text(f"{key}.{name}", value)
