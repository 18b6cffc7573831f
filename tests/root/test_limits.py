"""The cgroup's limits, enforced by the kernel on a container."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.root.box import Box, Refused, cgroup_directory

MEBIBYTE = 1 << 20


def limited(box: Box, resources: dict[str, Any], *arguments: str) -> dict[str, Any]:
    spec = box.spec(*arguments)
    spec["linux"]["resources"].update(resources)
    return spec


def test_memory_beyond_the_limit_ends_in_137_and_oom(box: Box) -> None:
    spec = limited(
        box, {"memory": {"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}}, "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"
    )
    ended, _ = box.run_spec(spec)
    assert (ended["code"], ended["signal"], ended["oom"]) == (137, 9, True)


def test_memory_within_the_limit_is_no_oom(box: Box) -> None:
    spec = limited(box, {"memory": {"limit": 64 * MEBIBYTE}}, "dd", "if=/dev/zero", "of=/dev/null", "bs=8M", "count=1")
    ended, _ = box.run_spec(spec)
    assert (ended["code"], ended["oom"]) == (0, False)


def test_processes_beyond_the_limit_cannot_be_made(box: Box) -> None:
    spec = limited(box, {"pids": {"limit": 3}}, "sh", "-c", "sleep 9 & sleep 9 & sleep 9 & sleep 9")
    container = box.create(spec)
    assert container.run()["code"] != 0
    assert "can't fork: Resource temporarily unavailable" in container.log("stderr")


def test_shares_quota_and_period_stand_in_the_cgroup(box: Box) -> None:
    container = box.create(limited(box, {"cpu": {"shares": 512, "quota": 50_000, "period": 100_000}}, "sleep", "9"))
    directory = cgroup_directory("cpu", f"{box.prefix}/{container.id}")
    names, expected = ["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"], ["512", "50000", "100000"]
    if (directory / "cpu.weight").exists():
        names, expected = ["cpu.weight", "cpu.max"], ["20", "50000 100000"]
    assert [(directory / name).read_text().strip() for name in names] == expected


def test_the_program_is_in_every_cgroup(box: Box) -> None:
    container = box.create(box.spec("cat", "/proc/self/cgroup"))
    with open(f"/proc/{container.pid}/cgroup", encoding="ascii") as file:
        paths = {line.rstrip("\n").split(":", 2)[2] for line in file}
    assert paths == {f"{box.prefix}/{container.id}"}
    container.run()
    seen = {line.split(":", 2)[2] for line in container.log().splitlines()}
    assert seen == {"/"}, "its cgroup namespace hides where that is"


@pytest.fixture
def openable() -> int:
    """A device that the host may open and that Docker's list does not have."""
    for path in ("/dev/fuse", "/dev/loop-control", "/dev/net/tun"):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            continue
        return os.stat(path).st_rdev
    pytest.skip("none of /dev/fuse, /dev/loop-control and /dev/net/tun can be opened here")


def test_devices_are_dockers_and_no_others(box: Box, openable: int) -> None:
    """A node for another one can be made, but not opened, whatever the capabilities."""
    node = f"mknod /dev/other c {os.major(openable)} {os.minor(openable)} && stat -c %F /dev/other; : < /dev/other && echo opened"
    container = box.create(box.spec("sh", "-c", f"head -c 1 /dev/zero | wc -c; {node}"))
    container.run()
    assert container.log() == "1\ncharacter special file\n"
    assert "Operation not permitted" in container.log("stderr")


def test_a_limit_that_the_kernel_refuses_leaves_nothing(box: Box) -> None:
    with pytest.raises(Refused, match=r"cpu\.(cfs_quota_us|max): [Ii]nvalid argument"):
        box.create(limited(box, {"cpu": {"quota": 5}}, "true"))
    assert not cgroup_directory("cpu", f"{box.prefix}/c1").exists()


def test_its_cgroups_are_shown_read_only(box: Box) -> None:
    ended, said = box.run("sh", "-c", "cd /sys/fs/cgroup/memory 2>/dev/null || cd /sys/fs/cgroup; cat cgroup.procs; mkdir mine")
    assert said.split()[0] == "1"
    assert ended["code"] == 1
