"""What info says of a host, against directories that look like hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiff.api import system
from skiff.engine import filesystem, host

EVERYTHING_V1 = (
    "memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.kmem.limit_in_bytes "
    "memory/memory.kmem.tcp.limit_in_bytes memory/memory.oom_control cpu/cpu.cfs_period_us cpu/cpu.cfs_quota_us "
    "cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max blkio/blkio.throttle.read_bps_device"
)


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "CGROUP_ROOT", str(tmp_path))
    return tmp_path


def touch(root: Path, names: str) -> None:
    for name in names.split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_v1_with_everything_has_everything(cgroups: Path) -> None:
    touch(cgroups, EVERYTHING_V1)
    assert host.cgroup_version() == 1
    assert all(vars(host.limits()).values())


def test_v1_without_swap_accounting_says_so(cgroups: Path) -> None:
    touch(cgroups, EVERYTHING_V1.replace("memory/memory.memsw.limit_in_bytes", ""))
    assert not host.limits().swap
    assert "WARNING: No swap limit support" in system.warnings()


def test_limits_of_disks_that_are_missing_are_warned_of_in_dockerds_words(cgroups: Path) -> None:
    touch(cgroups, EVERYTHING_V1)
    assert not any("blkio" in line for line in system.warnings())
    (cgroups / "blkio" / "blkio.throttle.read_bps_device").unlink()
    assert "WARNING: No blkio throttle.write_iops_device support" in system.warnings()
    (cgroups / "cgroup.controllers").write_text("cpu cpuset memory pids io\n")
    assert not any("No io." in line for line in system.warnings())
    (cgroups / "cgroup.controllers").write_text("cpu cpuset memory pids\n")
    assert [line for line in system.warnings() if "No io." in line][1:3] == [
        "WARNING: No io.weight (per device) support",
        "WARNING: No io.max (rbps) support",
    ]


def test_v2_is_told_by_its_controllers(cgroups: Path) -> None:
    (cgroups / "cgroup.controllers").write_text("cpu cpuset memory pids\n")
    touch(cgroups, "system.slice/memory.max system.slice/memory.swap.max")
    found = host.limits()
    assert host.cgroup_version() == 2
    assert (found.memory, found.swap, found.cpu_cfs_quota, found.cpuset, found.pids) == (True,) * 5
    assert (found.kernel_memory, found.oom_kill_disable) == (False, False)
    assert not any("oom kill" in line for line in system.warnings())


def test_v2_without_swap_files_has_no_swap_limit(cgroups: Path) -> None:
    (cgroups / "cgroup.controllers").write_text("memory\n")
    touch(cgroups, "system.slice/memory.max")
    found = host.limits()
    assert (found.memory, found.swap, found.cpu_shares) == (True, False, False)


def test_a_switch_that_is_not_there_is_off() -> None:
    assert not host.sysctl_on("net/nosuch/switch")


def test_the_file_system_is_named_and_tells_types(tmp_path: Path) -> None:
    assert filesystem.name("/proc") == "<unknown>"
    assert filesystem.name("/dev/shm") == "tmpfs"
    assert filesystem.name(str(tmp_path / "none")) == "<unknown>"
    assert filesystem.supports_d_type(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_version_claims_no_go_and_names_python() -> None:
    document = system.version_document()
    assert (document["GoVersion"], document["Platform"]) == ("", {"Name": "Skiff"})
    assert "CPython" in {component["Name"] for component in document["Components"]}
