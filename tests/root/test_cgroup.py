"""One suite for every manager that this machine can have: each version, and systemd's scopes where it runs.

In the hybrid layout the unified tree has no controllers, so there version 2 shows the group itself, its processes,
devices, freezing and killing; its limits are shown in the virtual machine of tests/vm.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator

import pytest

from skiff.cgroup import files, hierarchy
from skiff.cgroup.manager import open_manager
from skiff.cgroup.v1 import V1
from skiff.cgroup.v2 import V2
from skiff.errors import Conflict, SkiffError, SyscallError, Unsupported
from skiff.linux import namespaces

if TYPE_CHECKING:
    from skiff.cgroup.manager import CgroupManager

MIB = 1 << 20


def _kinds() -> dict[str, bool]:
    """The managers that can be had here, and whether they have controllers."""
    try:
        layout = hierarchy.discover()
    except SkiffError:
        return {}
    found = {}
    if layout.controllers:
        found["v1"] = True
    if layout.unified:
        found["v2"] = not layout.controllers
    if os.path.isdir("/run/systemd/system"):
        found["systemd"] = True
    return found


KINDS = _kinds()


def _manager(kind: str, prefix: str) -> CgroupManager:
    layout = hierarchy.discover()
    if kind == "v1":
        return V1(layout, f"{prefix}/c")
    if kind == "v2":
        return V2(layout.unified, f"{prefix}/c")
    return open_manager(f"system.slice:skiff-test:{prefix.strip('/')}")


@pytest.fixture(params=list(KINDS))
def real(request: pytest.FixtureRequest, cgroup_prefix: str) -> Iterator[CgroupManager]:
    """A manager on the kernel's own tree."""
    manager = _manager(request.param, cgroup_prefix)
    yield manager
    manager.delete()


@pytest.fixture(params=[kind for kind, controlled in KINDS.items() if controlled])
def controlled(request: pytest.FixtureRequest, cgroup_prefix: str) -> Iterator[CgroupManager]:
    """One whose group exists and has controllers."""
    manager = _manager(request.param, cgroup_prefix)
    manager.create({})
    yield manager
    manager.delete()


def inside(manager: CgroupManager, script: str) -> subprocess.Popen[str]:
    """A shell in the group."""
    enter = "".join(f"echo 0 > {path}; " for path in manager.entrances())
    command = ["sh", "-c", enter + script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(manager: CgroupManager, script: str) -> str:
    """What a shell in the group writes."""
    with inside(manager, script) as process:
        return process.communicate(timeout=60)[0]


@pytest.fixture
def sleepers(real: CgroupManager) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes in the group."""
    real.create({})
    processes = []
    for _ in range(2):
        process = inside(real, "echo; exec sleep 100")
        assert process.stdout is not None
        process.stdout.readline()
        processes.append(process)
    real.entered()
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def directories(manager: CgroupManager) -> list[Path]:
    return [Path(path).parent for path in manager.entrances()]


def place(manager: CgroupManager, controller: str) -> Path:
    """The directory with the controller's files."""
    if manager.version == 2:
        return directories(manager)[0]
    [found] = [path for path in directories(manager) if str(path).startswith(f"/sys/fs/cgroup/{controller}/")]
    return found


def value(manager: CgroupManager, first: str, second: str) -> str:
    """What stands in the file of its version, `controller/name`."""
    controller, name = (second if manager.version == 2 else first).split("/")
    return (place(manager, controller) / name).read_text().strip()


def test_delete_leaves_nothing_and_can_be_repeated(real: CgroupManager) -> None:
    real.create({})
    real.entered()
    assert all(directory.is_dir() for directory in directories(real))
    for _ in range(2):
        real.delete()
        assert not any(directory.exists() for directory in directories(real))


def test_create_takes_over_what_is_there_and_empty(real: CgroupManager) -> None:
    for directory in directories(real):
        directory.mkdir(parents=True, exist_ok=True)
    real.create({})
    real.entered()


def test_a_group_with_processes_is_refused_and_left_as_it_is(
    real: CgroupManager, sleepers: list[subprocess.Popen[str]], cgroup_prefix: str
) -> None:
    (directories(real)[0] / "inner").mkdir()
    with pytest.raises(Conflict, match=r"^container's cgroup is not empty: 2 process\(es\) found in "):
        real.create({})
    assert [process.poll() for process in sleepers] == [None, None]
    assert (directories(real)[0] / "inner").is_dir()


def test_a_frozen_group_is_refused(real: CgroupManager) -> None:
    """Of systemd's scope it is said that it is not empty, for that is gone when it is."""
    real.create({})
    real.freeze(True)
    with pytest.raises(Conflict, match=r"^container's cgroup (unexpectedly frozen|is not empty): "):
        real.create({})
    real.freeze(False)


def test_a_failed_create_leaves_nothing(real: CgroupManager) -> None:
    bad = {"unified": {"memory.max": "nonsense"}}
    with pytest.raises((SyscallError, Unsupported)):
        real.create(bad)  # type: ignore[arg-type]
    assert not any(directory.exists() for directory in directories(real))


def test_groups_made_inside_are_removed_too(real: CgroupManager) -> None:
    real.create({})
    inner = directories(real)[0] / "a" / "b"
    inner.mkdir(parents=True)
    real.entered()
    real.delete()
    assert not inner.exists()


def test_its_processes(real: CgroupManager, sleepers: list[subprocess.Popen[str]]) -> None:
    assert sorted(real.pids()) == sorted(process.pid for process in sleepers)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_reaches_every_process(real: CgroupManager, sleepers: list[subprocess.Popen[str]], number: int) -> None:
    real.kill(number)
    assert [process.wait(10) for process in sleepers] == [-number, -number]


def test_frozen_processes_stop_and_go_on(real: CgroupManager) -> None:
    """A caught signal is answered only after the thaw (version 2 lets a fatal one kill also what is frozen)."""
    real.create({})
    with inside(real, "trap 'echo answered' USR1; echo ready; while :; do sleep 0.01; done") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert not real.frozen()
        real.freeze(True)
        assert real.frozen()
        process.send_signal(signal.SIGUSR1)
        assert select.select([process.stdout], [], [], 0.2) == ([], [], [])
        real.freeze(False)
        assert not real.frozen()
        assert process.stdout.readline() == "answered\n"
        process.kill()
        real.kill(signal.SIGKILL)


def test_what_forks_is_killed_to_the_last(real: CgroupManager, until: Callable[[Callable[[], bool]], None]) -> None:
    """A process closes its files a moment before it leaves its group; what escaped would fork on."""
    real.create({})
    process = inside(real, "echo; while :; do sh -c 'sleep 0.02 & sleep 0.02' & sleep 0.01; done")
    assert process.stdout is not None
    process.stdout.readline()
    real.entered()
    real.kill(signal.SIGKILL)
    process.wait(10)
    process.communicate(timeout=60)
    until(lambda: real.pids() == [])


DOCKER = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]


@pytest.fixture
def kmsg() -> Iterator[str]:
    """A script that tries a device which anybody here may use and no container by default."""
    node = f"/dev/skiff-test-{os.getpid()}"  # /tmp may be mounted nodev
    os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(1, 11))
    yield f"true < {node} && echo readable; true > {node} && echo writable; true < /dev/null && echo null"
    os.unlink(node)


def test_devices_are_those_that_the_rules_grant(real: CgroupManager, kmsg: str) -> None:
    """As the rules are given, and as they are changed."""
    assert real.confines_devices
    real.create({"devices": DOCKER})  # type: ignore[typeddict-item]
    lines = said(real, kmsg).splitlines()
    assert (lines[0], lines[1].rpartition(": ")[2], lines[2]) == ("readable", "Operation not permitted", "null")
    real.update({"devices": [{"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"}]})
    lines = said(real, kmsg).splitlines()
    assert (lines[0].rpartition(": ")[2], lines[1:]) == ("Operation not permitted", ["writable", "null"])
    real.update({"devices": [{"allow": True, "access": "rwm"}]})
    assert said(real, kmsg) == "readable\nwritable\nnull\n"


def test_without_rules_a_container_has_the_specifications_devices(real: CgroupManager, kmsg: str) -> None:
    real.create({})
    answer = said(real, kmsg)
    assert answer.count("Operation not permitted") == 2
    assert answer.endswith("null\n")


def test_no_oom_kill_has_happened(real: CgroupManager) -> None:
    real.create({})
    real.entered()
    assert real.oom_kills() == 0


def test_an_oom_kill_is_counted_and_told(controlled: CgroupManager) -> None:
    controlled.update({"memory": {"limit": 16 * MIB}})
    if Path("/proc/swaps").read_text().count("\n") > 1:
        controlled.update({"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    watch = controlled.oom_watch()
    poll = select.poll()
    poll.register(watch.fd, watch.mask)
    assert poll.poll(0) == []
    with inside(controlled, "echo; read -r go; dd if=/dev/zero of=/dev/null bs=64M count=1; echo; exec sleep 100") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        controlled.entered()
        process.stdin.write("\n")
        process.stdin.flush()
        assert "Killed" in process.stdout.readline()
        assert poll.poll(10_000) != []
        assert watch.happened()
        assert controlled.oom_kills() == 1
        process.kill()
    watch.close()


@pytest.mark.parametrize(
    ("resources", "first", "expected_first", "second", "expected_second"),
    [
        ({"memory": {"limit": 64 * MIB}}, "memory/memory.limit_in_bytes", "67108864", "memory/memory.max", "67108864"),
        ({"memory": {"reservation": MIB}}, "memory/memory.soft_limit_in_bytes", "1048576", "memory/memory.low", "1048576"),
        (
            {"memory": {"limit": 32 * MIB, "swap": 48 * MIB}},
            "memory/memory.memsw.limit_in_bytes", "50331648", "memory/memory.swap.max", "16777216",
        ),
        (
            {"memory": {"limit": 32 * MIB, "swap": -1}},
            "memory/memory.memsw.limit_in_bytes", "9223372036854771712", "memory/memory.swap.max", "max",
        ),
        ({"cpu": {"shares": 1024}}, "cpu/cpu.shares", "1024", "cpu/cpu.weight", "39"),
        ({"cpu": {"quota": 50000, "period": 200000}}, "cpu/cpu.cfs_quota_us", "50000", "cpu/cpu.max", "50000 200000"),
        ({"cpu": {"period": 50000}}, "cpu/cpu.cfs_period_us", "50000", "cpu/cpu.max", "max 50000"),
        (
            {"cpu": {"quota": 50000, "period": 100000, "burst": 30000}},
            "cpu/cpu.cfs_burst_us", "30000", "cpu/cpu.max.burst", "30000",
        ),
        ({"cpu": {"idle": 1}}, "cpu/cpu.idle", "1", "cpu/cpu.idle", "1"),
        ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset/cpuset.cpus", "0", "cpuset/cpuset.cpus", "0"),
        ({"pids": {"limit": 20}}, "pids/pids.max", "20", "pids/pids.max", "20"),
        ({"pids": {"limit": -1}}, "pids/pids.max", "max", "pids/pids.max", "max"),
    ],
)  # fmt: skip
def test_limits_as_each_version_writes_them(
    controlled: CgroupManager, resources: Any, first: str, expected_first: str, second: str, expected_second: str
) -> None:
    controlled.update(resources)
    assert value(controlled, first, second) == (expected_first if controlled.version == 1 else expected_second)


def test_limits_grow_and_shrink_in_the_order_that_the_kernel_wants(controlled: CgroupManager) -> None:
    for limit, swap in ((32, 48), (128, 256), (16, 16), (64, 64)):
        controlled.update({"memory": {"limit": limit * MIB, "swap": swap * MIB}})
        assert value(controlled, "memory/memory.limit_in_bytes", "memory/memory.max") == str(limit * MIB)
    for quota, burst in ((50_000, 40_000), (20_000, 10_000), (90_000, 90_000), (10_000, 0)):
        controlled.update({"cpu": {"quota": quota, "burst": burst}})
        assert value(controlled, "cpu/cpu.cfs_burst_us", "cpu/cpu.max.burst") == str(burst)


def test_throttling_a_disk(controlled: CgroupManager) -> None:
    major, minor = next(Path("/sys/block").glob("[vsl]*")).joinpath("dev").read_text().strip().split(":")
    row = {"major": int(major), "minor": int(minor), "rate": MIB}
    asked: Any = {"throttleReadBpsDevice": [row], "throttleWriteIOPSDevice": [{**row, "rate": 500}]}
    controlled.update({"blockIO": asked})
    numbers = f"{row['major']}:{row['minor']}"
    assert value(controlled, "blkio/blkio.throttle.write_iops_device", "io/io.max") == (
        f"{numbers} 500" if controlled.version == 1 else f"{numbers} rbps=1048576 wbps=max riops=max wiops=500"
    )


def test_version_1_alone(controlled: CgroupManager) -> None:
    asked: Any = {"memory": {"swappiness": 7, "disableOOMKiller": True, "kernelTCP": MIB}}
    if controlled.version == 2:
        with pytest.raises(Unsupported, match="cgroup v2 does not have it"):
            controlled.update(asked)
        return
    controlled.update(asked)
    files = [(place(controlled, "memory") / name).read_text() for name in ("memory.swappiness", "memory.kmem.tcp.limit_in_bytes")]
    assert files == ["7\n", "1048576\n"]
    assert (place(controlled, "memory") / "memory.oom_control").read_text().startswith("oom_kill_disable 1\n")


def test_version_2_alone(controlled: CgroupManager) -> None:
    asked: Any = {"unified": {"memory.high": "33554432", "memory.oom.group": "1", "cpu.weight": "77"}}
    if controlled.version == 1:
        with pytest.raises(Unsupported, match="is for cgroup v2"):
            controlled.update(asked)
        return
    controlled.update(asked)
    assert [value(controlled, "", f"x/{name}") for name in asked["unified"]] == ["33554432", "1", "77"]


def test_what_it_uses(controlled: CgroupManager) -> None:
    controlled.update({"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}, "cpu": {"quota": 10_000, "period": 100_000}})
    until_throttled = f"until grep -q 'nr_throttled [1-9]' {place(controlled, 'cpu')}/cpu.stat; do :; done"
    with inside(controlled, f"{until_throttled}; echo; exec sleep 100") as process:
        assert process.stdout is not None
        process.stdout.readline()
        controlled.entered()
        stats = controlled.stats()
        process.kill()
        later = controlled.stats()
    assert (stats["memory"]["usage"]["limit"], stats["pids"]["limit"], stats["pids"]["usage"]) == (64 * MIB, 20, 1)
    assert 0 < stats["memory"]["usage"]["usage"] < 64 * MIB
    assert stats["cpu"]["total"] > 1_000_000
    assert stats["cpu"]["throttled_periods"] > 0
    assert stats["cpu"]["throttled_time"] > 0
    assert "pgfault" in stats["memory"]["raw"]  # the kernel adds up its value later
    by_processor = sum(stats["cpu"]["percpu"])  # read after the total, while the process ran on
    assert by_processor == 0 if controlled.version == 2 else stats["cpu"]["total"] <= by_processor <= later["cpu"]["total"]


def test_delegation_gives_the_tree_and_not_the_limits(real: CgroupManager) -> None:
    real.create({})
    real.delegate(1234)
    owners = {name: (directories(real)[0] / name).stat().st_uid for name in ("", "cgroup.procs")}
    assert owners == ({"": 1234, "cgroup.procs": 1234} if real.version == 2 else {"": 0, "cgroup.procs": 0})
    writable = [path for path in directories(real)[0].iterdir() if path.stat().st_uid == 1234]
    assert all(path.name.startswith(("cgroup.", "memory.oom.group", "memory.reclaim")) for path in writable)
    real.entered()


def test_its_view_is_its_own(real: CgroupManager) -> None:
    for view in real.views(own_namespace=False):
        assert Path(view.bind) in directories(real)
    assert all(view.bind == "" for view in real.views(own_namespace=True))


def test_nothing_of_it_can_be_written_by_others(real: CgroupManager) -> None:
    real.create({})
    assert not directories(real)[0].stat().st_mode & stat.S_IWOTH
    real.entered()


def test_what_cannot_be_frozen_is_hunted(real: CgroupManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no freezer, and no cgroup.kill: until nothing forks any more."""
    if real.version == 2:
        monkeypatch.setattr(os.path, "exists", lambda path: not path.endswith("cgroup.kill") and os.access(path, os.F_OK))

    def refuse(*_: object) -> None:
        raise Unsupported("no freezer")

    group = getattr(real, "_group", real)
    monkeypatch.setattr(group, "freeze", refuse)
    group.create({})
    process = inside(group, "echo; while :; do sh -c 'sleep 0.02 & sleep 0.02' & sleep 0.01; done")
    assert process.stdout is not None
    process.stdout.readline()
    group.kill(signal.SIGKILL)
    process.wait(10)
    process.communicate(timeout=60)
    assert group.pids() == []


def test_a_group_that_is_removed_while_a_signal_is_sent_needs_no_thaw(real: CgroupManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd removes a scope when its last process ends, which in version 2 a fatal signal does to a frozen one."""
    group = getattr(real, "_group", real)
    group.create({})
    process = inside(group, "echo; exec sleep 100")
    assert process.stdout is not None
    process.stdout.readline()

    def killed_and_removed(_: str, number: int) -> None:
        process.send_signal(number)
        freeze(False)
        process.communicate(timeout=60)
        group.delete()

    freeze = group.freeze
    monkeypatch.setattr(files, "signal_all", killed_and_removed)
    group.kill(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.skipif("v2" not in KINDS, reason="version 2 is not mounted")
def test_a_sibling_is_born_in_a_group(cgroup_prefix: str) -> None:
    directory = f"{hierarchy.discover().unified}{cgroup_prefix}"
    os.makedirs(directory)
    group = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    told, tells = os.pipe()
    maker = os.fork()
    if maker == 0:
        try:
            sibling = namespaces.fork_into(group, namespaces.CLONE_PARENT)
            if sibling == 0:
                signal.pause()
            os.write(tells, b"%d" % sibling)
        finally:
            os._exit(0)
    os.close(tells)
    try:
        sibling = int(os.read(told, 16))
        assert files.pids(directory) == [sibling]
        os.kill(sibling, signal.SIGKILL)
        assert os.waitpid(sibling, 0) == (sibling, signal.SIGKILL)  # it is a child of ours
    finally:
        os.waitpid(maker, 0)
        os.close(told)
        os.close(group)
        files.remove(directory)
