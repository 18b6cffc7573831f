"""Which value goes to which file, by version: what the conversions make of linux.resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from skiff.cgroup import files, setting, v1_settings, v2_settings
from skiff.cgroup.setting import Setting
from skiff.cgroup.v2 import V2
from skiff.errors import InvalidInput, SkiffError, SyscallError, Unsupported
from skiff.linux.libc import failure

MIB = 1 << 20


def v1(resources: Any, *present: str) -> list[str]:
    return [repr(row) for row in v1_settings.settings(resources, lambda _, name: name in present)]


def v2(resources: Any, *present: str, **now: str) -> list[str]:
    read: Callable[[str], str] = lambda name: now.get(name.replace(".", "_"), "")  # noqa: E731
    return [repr(row) for row in v2_settings.settings(resources, lambda _, name: name in present, read)]


MEMSW = "memory.memsw.limit_in_bytes"
DISK = {"major": 8, "minor": 16}


@pytest.mark.parametrize(
    ("resources", "first", "second"),
    [
        ({}, [], []),
        ({"memory": {"limit": 0, "swap": 0, "reservation": 0}}, [], []),
        ({"memory": {"limit": MIB}}, ["memory/memory.limit_in_bytes=1048576"], ["memory/memory.max=1048576"]),
        (
            {"memory": {"limit": MIB, "swap": 3 * MIB}},
            ["memory/memory.limit_in_bytes=1048576", f"memory/{MEMSW}=3145728"],
            ["memory/memory.max=1048576", "memory/memory.swap.max=2097152"],
        ),
        (
            {"memory": {"limit": MIB, "swap": MIB}},
            ["memory/memory.limit_in_bytes=1048576", f"memory/{MEMSW}=1048576"],
            ["memory/memory.max=1048576", "memory/memory.swap.max=0"],
        ),
        (
            {"memory": {"limit": MIB, "swap": -1}},
            ["memory/memory.limit_in_bytes=1048576", f"memory/{MEMSW}=-1"],
            ["memory/memory.max=1048576", "memory/memory.swap.max=max"],
        ),
        (
            {"memory": {"limit": -1}},
            ["memory/memory.limit_in_bytes=-1", f"memory/{MEMSW}=-1"],
            ["memory/memory.max=max", "memory/memory.swap.max=max"],
        ),
        ({"memory": {"reservation": MIB}}, ["memory/memory.soft_limit_in_bytes=1048576"], ["memory/memory.low=1048576"]),
        ({"cpu": {"shares": 2}}, ["cpu/cpu.shares=2"], ["cpu/cpu.weight=1"]),
        ({"cpu": {"shares": 1024}}, ["cpu/cpu.shares=1024"], ["cpu/cpu.weight=39"]),
        ({"cpu": {"shares": 262144}}, ["cpu/cpu.shares=262144"], ["cpu/cpu.weight=10000"]),
        (
            {"cpu": {"quota": 50000, "period": 20000}},
            ["cpu/cpu.cfs_period_us=20000", "cpu/cpu.cfs_quota_us=50000"],
            ["cpu/cpu.max=50000 20000"],
        ),
        ({"cpu": {"quota": -1}}, ["cpu/cpu.cfs_quota_us=-1"], ["cpu/cpu.max=max 100000"]),
        ({"cpu": {"period": 50000}}, ["cpu/cpu.cfs_period_us=50000"], ["cpu/cpu.max=max 50000"]),
        ({"cpu": {"burst": 0}}, ["cpu/cpu.cfs_burst_us=0"], ["cpu/cpu.max.burst=0"]),
        ({"cpu": {"idle": 1}}, ["cpu/cpu.idle=1"], ["cpu/cpu.idle=1"]),
        (
            {"cpu": {"cpus": "0-1", "mems": "0"}},
            ["cpuset/cpuset.cpus=0-1", "cpuset/cpuset.mems=0"],
            ["cpuset/cpuset.cpus=0-1", "cpuset/cpuset.mems=0"],
        ),
        ({"pids": {"limit": 7}}, ["pids/pids.max=7"], ["pids/pids.max=7"]),
        ({"pids": {"limit": -1}}, ["pids/pids.max=max"], ["pids/pids.max=max"]),
        ({"blockIO": {"weight": 10}}, ["blkio/blkio.weight=10"], ["io/io.weight=1"]),
        ({"blockIO": {"weight": 1000}}, ["blkio/blkio.weight=1000"], ["io/io.weight=10000"]),
        (
            {"blockIO": {"weightDevice": [{**DISK, "weight": 500}]}},
            ["blkio/blkio.weight_device=8:16 500"],
            ["io/io.weight=8:16 4950"],
        ),
        (
            {"blockIO": {"throttleReadBpsDevice": [{**DISK, "rate": MIB}], "throttleWriteIOPSDevice": [{**DISK, "rate": 0}]}},
            ["blkio/blkio.throttle.read_bps_device=8:16 1048576", "blkio/blkio.throttle.write_iops_device=8:16 0"],
            ["io/io.max=8:16 rbps=1048576", "io/io.max=8:16 wiops=max"],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": MIB}]},
            ["hugetlb/hugetlb.2MB.limit_in_bytes=1048576"],
            ["hugetlb/hugetlb.2MB.max=1048576"],
        ),
        (
            {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 100}, "mlx5_2": {"hcaObjects": 5}}},
            ["rdma/rdma.max=mlx5_1 hca_handle=3 hca_object=100", "rdma/rdma.max=mlx5_2 hca_object=5"],
            ["rdma/rdma.max=mlx5_1 hca_handle=3 hca_object=100", "rdma/rdma.max=mlx5_2 hca_object=5"],
        ),
    ],
)
def test_what_both_versions_have(resources: Any, first: list[str], second: list[str]) -> None:
    assert v1(resources, MEMSW) == first
    assert v2(resources) == second


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"memory": {"kernel": MIB}}, ["memory/memory.kmem.limit_in_bytes=1048576"]),
        ({"memory": {"kernelTCP": MIB}}, ["memory/memory.kmem.tcp.limit_in_bytes=1048576"]),
        ({"memory": {"swappiness": 0}}, ["memory/memory.swappiness=0"]),
        ({"memory": {"disableOOMKiller": True}}, ["memory/memory.oom_control=1"]),
        ({"cpu": {"realtimeRuntime": 9500}}, ["cpu/cpu.rt_runtime_us=9500"]),
        ({"cpu": {"realtimePeriod": 10000}}, ["cpu/cpu.rt_period_us=10000"]),
        ({"blockIO": {"leafWeight": 20}}, ["blkio/blkio.leaf_weight=20"]),
        ({"network": {"classID": 1048577}}, ["net_cls/net_cls.classid=1048577"]),
        ({"network": {"priorities": [{"name": "eth0", "priority": 5}]}}, ["net_prio/net_prio.ifpriomap=eth0 5"]),
    ],
)
def test_what_version_1_alone_has_is_refused_by_version_2(resources: Any, expected: list[str]) -> None:
    assert v1(resources) == expected
    [(section, fields)] = resources.items()
    with pytest.raises(Unsupported) as caught:
        v2(resources)
    assert str(caught.value) == f"linux.resources.{section}.{next(iter(fields))}: cgroup v2 does not have it: leave it out"


def test_a_weight_that_cannot_be_converted_is_refused() -> None:
    assert v1({"blockIO": {"weight": 5}}) == ["blkio/blkio.weight=5"]  # which the kernel judges: BFQ takes it, CFQ did not
    with pytest.raises(InvalidInput, match=r"blockIO\.weight: 5 must be between 10 and 1000"):
        v2({"blockIO": {"weight": 5}})


def test_what_version_1_calls_off_means_nothing_to_version_2() -> None:
    """Docker and Kubernetes send them so."""
    assert v2({"memory": {"kernel": 0, "disableOOMKiller": False}, "network": {"classID": 0, "priorities": []}}) == []


def test_use_hierarchy_comes_first() -> None:
    written = v1({"memory": {"limit": MIB, "useHierarchy": True}})
    assert written == ["memory/memory.use_hierarchy=1", "memory/memory.limit_in_bytes=1048576"]


def test_unified_is_written_last_and_is_for_version_2() -> None:
    assert v2({"pids": {"limit": 5}, "unified": {"pids.max": "9"}}) == ["pids/pids.max=5", "pids/pids.max=9"]
    with pytest.raises(Unsupported, match=r"^linux\.resources\.unified: is for cgroup v2"):
        v1({"unified": {"pids.max": "9"}})


def test_bfq_takes_the_numbers_of_version_1() -> None:
    weights = {"blockIO": {"weight": 300, "weightDevice": [{**DISK, "weight": 20}]}}
    assert v1(weights, "blkio.bfq.weight") == ["blkio/blkio.bfq.weight=300", "blkio/blkio.bfq.weight_device=8:16 20"]
    assert v2(weights, "io.bfq.weight") == ["io/io.bfq.weight=300", "io/io.bfq.weight=8:16 20"]


def test_reserved_huge_pages_are_limited_where_the_kernel_counts_them() -> None:
    asked = {"hugepageLimits": [{"pageSize": "1GB", "limit": 0}]}
    assert v2(asked, "hugetlb.1GB.rsvd.max") == ["hugetlb/hugetlb.1GB.max=0", "hugetlb/hugetlb.1GB.rsvd.max=0"]


def test_quota_or_period_alone_leaves_the_other_as_it_is() -> None:
    assert v2({"cpu": {"quota": 5000}}, cpu_max="max 20000") == ["cpu/cpu.max=5000 20000"]
    assert v2({"cpu": {"period": 50000}}, cpu_max="7000 20000") == ["cpu/cpu.max=7000 50000"]


def test_swap_is_converted_by_the_limit_that_stands() -> None:
    assert v2({"memory": {"swap": 3 * MIB}}, memory_max=str(MIB)) == ["memory/memory.swap.max=2097152"]
    for limit in ("", "max"):
        with pytest.raises(InvalidInput, match=r"memory\.swap: needs memory\.limit"):
            v2({"memory": {"swap": MIB}}, memory_max=limit)
    with pytest.raises(InvalidInput, match="must not be below the limit, 1048576"):
        v2({"memory": {"swap": 5}}, memory_max=str(MIB))


def test_a_kernel_that_does_not_count_swap_is_named() -> None:
    with pytest.raises(Unsupported, match=r"^memory\.swap: this kernel does not account swap"):
        v1({"memory": {"swap": MIB}})


class Kernel:
    """Refuses a burst above the quota, as a kernel does, and whatever else it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
        self.values = values
        monkeypatch.setattr(files, "write", self.write)

    def write(self, directory: str, name: str, value: str) -> None:
        after = {**self.values, name: int(value)}
        if after["burst"] > after["quota"] or after["quota"] < 0:
            raise failure("write", 22, name)
        self.values = after


@pytest.mark.parametrize(("quota", "burst"), [(10, 5), (100, 90), (30, 30), (20, 1)])
def test_values_are_written_in_the_order_that_the_kernel_takes(quota: int, burst: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, quota=30, burst=20)
    asked = [Setting("cpu", "burst", burst, ""), Setting("cpu", "quota", quota, "")]
    setting.write(asked, lambda _: "")
    assert kernel.values == {"quota": quota, "burst": burst}


def test_what_the_kernel_never_takes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Kernel(monkeypatch, quota=30, burst=20)
    with pytest.raises(SyscallError, match="burst"):
        setting.write([Setting("cpu", "burst", 50, ""), Setting("cpu", "quota", 40, "")], lambda _: "")


def test_a_controller_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(Unsupported, match=r"^linux\.resources\.pids\.limit: the pids controller is not available in "):
        V2(str(tmp_path), "/c").update({"pids": {"limit": 5}})
    (tmp_path / "c" / "cgroup.controllers").write_text("pids\n")
    with pytest.raises(Unsupported, match=r"^linux\.resources\.unified\.pids\.odd: this kernel has no pids\.odd"):
        V2(str(tmp_path), "/c").update({"unified": {"pids.odd": "5"}})


def test_limits_below_what_is_in_use_are_refused_on_request(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for name in ("memory.max", "memory.swap.max"):
        (tmp_path / "c" / name).write_text("max")
    (tmp_path / "c" / "memory.current").write_text("4096\n")
    manager = V2(str(tmp_path), "/c")
    for memory in ({"limit": 4096}, {"limit": 8192, "swap": 4096}):
        with pytest.raises(SkiffError, match="is not above the 4096 bytes in use: nothing is changed"):
            manager.update({"memory": {**memory, "checkBeforeUpdate": True}})  # type: ignore[typeddict-item]
    assert (tmp_path / "c" / "memory.max").read_text() == "max"
    manager.update({"memory": {"limit": 4096}})
    assert (tmp_path / "c" / "memory.max").read_text() == "4096"
