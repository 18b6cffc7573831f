"""One suite for both versions of control groups.

Version 1 runs it on this machine's hierarchies. Version 2 runs it on the real unified tree as far as that has controllers
(in the hybrid layout none: the group itself, its processes, freezing and killing), and for the limits' values on a
directory of plain files, which shows what is written, not that a kernel obeys.
"""

from __future__ import annotations

import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import pytest

from skiff.cgroup import hierarchy
from skiff.cgroup.v1 import V1
from skiff.cgroup.v2 import V2
from skiff.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from skiff.cgroup.manager import CgroupManager

MEBIBYTE = 1 << 20


@pytest.fixture(params=["v1", "v2"])
def real(request: pytest.FixtureRequest, cgroup_prefix: str) -> CgroupManager:
    """A manager on the kernel's own tree."""
    layout = hierarchy.discover()
    if request.param == "v1":
        if not layout.controllers:
            pytest.skip("no controller of cgroup v1 is mounted")
        return V1(layout, f"{cgroup_prefix}/c")
    if not layout.unified:
        pytest.skip("cgroup v2 is not mounted")
    return V2(layout.unified, f"{cgroup_prefix}/c")


@pytest.fixture
def sleepers(real: CgroupManager) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes in the group."""
    real.create({})
    enter = "".join(f"echo 0 > {path}; " for path in real.entrances())
    processes = [subprocess.Popen(["sh", "-c", enter + "echo; exec sleep 100"], stdout=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    yield processes
    for process in processes:
        process.kill()
        process.communicate()
    real.delete()


def test_delete_leaves_nothing_and_can_be_repeated(real: CgroupManager) -> None:
    real.create({})
    directories = [Path(path).parent for path in real.entrances()]
    assert all(directory.is_dir() for directory in directories)
    for _ in range(2):
        real.delete()
        assert not any(directory.exists() for directory in directories)


def test_create_takes_over_what_is_there(real: CgroupManager) -> None:
    real.create({})
    real.create({})
    real.delete()


def test_groups_made_inside_are_removed_too(real: CgroupManager) -> None:
    real.create({})
    inner = Path(real.entrances()[0]).parent / "a" / "b"
    inner.mkdir(parents=True)
    real.delete()
    assert not inner.exists()


def test_its_processes(real: CgroupManager, sleepers: list[subprocess.Popen[bytes]]) -> None:
    assert sorted(real.pids()) == sorted(process.pid for process in sleepers)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_reaches_every_process(real: CgroupManager, sleepers: list[subprocess.Popen[bytes]], number: int) -> None:
    real.kill(number)
    assert [process.wait(10) for process in sleepers] == [-number, -number]


def test_frozen_processes_stop_and_go_on(real: CgroupManager) -> None:
    """A caught signal is answered only after the thaw (version 2 lets a fatal one kill also what is frozen)."""
    real.create({})
    enter = "".join(f"echo 0 > {path}; " for path in real.entrances())
    script = enter + "trap 'echo answered' USR1; echo ready; while :; do sleep 0.01; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        real.freeze(True)
        process.send_signal(signal.SIGUSR1)
        assert select.select([process.stdout], [], [], 0.2) == ([], [], [])
        real.freeze(False)
        assert process.stdout.readline() == "answered\n"
        process.kill()
    real.kill(signal.SIGKILL)
    real.delete()


def test_no_oom_kill_has_happened(real: CgroupManager) -> None:
    real.create({})
    assert real.oom_kills() == 0
    real.delete()


@pytest.fixture(params=["v1 on the kernel", "v2 on plain files"])
def limited(request: pytest.FixtureRequest, cgroup_prefix: str, tmp_path: Path) -> Iterator[CgroupManager]:
    """A manager whose limits can be read back."""
    if request.param.startswith("v1"):
        layout = hierarchy.discover()
        if not layout.controllers:
            pytest.skip("no controller of cgroup v1 is mounted")
        manager: CgroupManager = V1(layout, f"{cgroup_prefix}/c")
        manager.create({})
        yield manager
        manager.delete()
        return
    directory = tmp_path / "c"
    directory.mkdir()
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("")
    for name in V2_FILES:
        (directory / name).write_text("")
    (directory / "cpu.stat").write_text("usage_usec 7\nthrottled_usec 3\n")
    (directory / "memory.current").write_text("4096\n")
    yield V2(str(tmp_path), "/c")


V2_FILES = ("memory.max", "memory.swap.max", "memory.low", "cpu.weight", "cpu.max", "cpuset.cpus", "cpuset.mems", "pids.max")


def value(manager: CgroupManager, v1: str, v2: str) -> str:
    """What stands in the file of its version, `controller/name`."""
    if manager.version == 2:
        return (Path(manager.entrances()[0]).parent / v2).read_text().strip()
    controller, name = v1.split("/")
    [directory] = [Path(path).parent for path in manager.entrances() if path.startswith(f"/sys/fs/cgroup/{controller}/")]
    return (directory / name).read_text().strip()


@pytest.mark.parametrize(
    ("resources", "v1", "expected_v1", "v2", "expected_v2"),
    [
        ({"memory": {"limit": 64 * MEBIBYTE}}, "memory/memory.limit_in_bytes", "67108864", "memory.max", "67108864"),
        ({"memory": {"reservation": MEBIBYTE}}, "memory/memory.soft_limit_in_bytes", "1048576", "memory.low", "1048576"),
        (
            {"memory": {"limit": 32 * MEBIBYTE, "swap": 48 * MEBIBYTE}},
            "memory/memory.memsw.limit_in_bytes", "50331648", "memory.swap.max", "16777216",
        ),
        (
            {"memory": {"limit": 32 * MEBIBYTE, "swap": -1}},
            "memory/memory.memsw.limit_in_bytes", "9223372036854771712", "memory.swap.max", "max",
        ),
        ({"cpu": {"shares": 1024}}, "cpu/cpu.shares", "1024", "cpu.weight", "39"),
        ({"cpu": {"shares": 2}}, "cpu/cpu.shares", "2", "cpu.weight", "1"),
        ({"cpu": {"shares": 262144}}, "cpu/cpu.shares", "262144", "cpu.weight", "10000"),
        ({"cpu": {"quota": 50000, "period": 200000}}, "cpu/cpu.cfs_quota_us", "50000", "cpu.max", "50000 200000"),
        ({"cpu": {"period": 50000}}, "cpu/cpu.cfs_period_us", "50000", "cpu.max", "max 50000"),
        ({"cpu": {"quota": 50000}}, "cpu/cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"),
        ({"cpu": {"cpus": "0"}}, "cpuset/cpuset.cpus", "0", "cpuset.cpus", "0"),
        ({"pids": {"limit": 20}}, "pids/pids.max", "20", "pids.max", "20"),
        ({"pids": {"limit": 0}}, "pids/pids.max", "max", "pids.max", "max"),
        ({"pids": {"limit": -1}}, "pids/pids.max", "max", "pids.max", "max"),
    ],
)  # fmt: skip
def test_limits_as_each_version_writes_them(
    limited: CgroupManager, resources: Any, v1: str, expected_v1: str, v2: str, expected_v2: str
) -> None:
    limited.update(resources)
    assert value(limited, v1, v2) == (expected_v1 if limited.version == 1 else expected_v2)


def test_memory_and_swap_grow_and_shrink_in_the_order_that_the_kernel_wants(limited: CgroupManager) -> None:
    for limit, swap in ((32, 48), (128, 256), (16, 16), (64, 64)):
        limited.update({"memory": {"limit": limit * MEBIBYTE, "swap": swap * MEBIBYTE}})
        assert value(limited, "memory/memory.limit_in_bytes", "memory.max") == str(limit * MEBIBYTE)


def test_stats_have_the_same_words(limited: CgroupManager) -> None:
    limited.update({"memory": {"limit": 64 * MEBIBYTE}, "pids": {"limit": 20}})
    stats = limited.stats()
    assert (stats["memory_limit"], stats["pids_limit"], stats["pids_current"]) == (64 * MEBIBYTE, 20, 0)
    assert stats["cpu_throttled"] == (3000 if limited.version == 2 else 0)
    assert stats["memory_usage"] == (4096 if limited.version == 2 else 0)


def test_a_controller_that_is_not_there_is_named(cgroup_prefix: str, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(Unsupported, match=r"^pids\.max: the pids controller is not available"):
        V2(str(tmp_path), "/c").update({"pids": {"limit": 5}})
    layout = hierarchy.discover()
    if not layout.controllers:
        pytest.skip("no controller of cgroup v1 is mounted")
    del layout.controllers["pids"]
    with pytest.raises(Unsupported, match=r"^pids\.limit: the pids cgroup is not mounted"):
        V1(layout, f"{cgroup_prefix}/c").update({"pids": {"limit": 5}})


def test_swap_alone_needs_a_limit_on_version_2(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(InvalidInput, match=r"memory\.swap: needs memory\.limit"):
        V2(str(tmp_path), "/c").update({"memory": {"swap": MEBIBYTE}})


def test_devices_are_claimed_only_where_they_are_confined(cgroup_prefix: str, tmp_path: Path) -> None:
    assert V2(str(tmp_path), "/c").confines_devices is False
    layout = hierarchy.discover()
    if layout.controllers:
        assert V1(layout, f"{cgroup_prefix}/c").confines_devices is ("devices" in layout.controllers)


def test_device_rules_are_written_in_order(cgroup_prefix: str) -> None:
    layout = hierarchy.discover()
    if "devices" not in layout.controllers:
        pytest.skip("the devices cgroup is not mounted")
    manager = V1(layout, f"{cgroup_prefix}/c")
    manager.create(
        {"devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]}
    )
    assert (Path(layout.controllers["devices"]) / f"{cgroup_prefix}/c/devices.list".lstrip("/")).read_text() == "c 1:3 rw\n"
    manager.delete()
