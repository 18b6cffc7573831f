"""The plan of a root as text, and the tables behind it."""

from __future__ import annotations

from typing import Any

import pytest

from skiff.cgroup import hierarchy
from skiff.cgroup.hierarchy import View
from skiff.errors import Conflict, Unsupported
from skiff.linux import mounts as ms
from skiff.oci import command, failure, mountoptions, rootfs, status
from skiff.oci.process import environment
from skiff.spec.defaults import default_spec

V2 = [View("", "cgroup2", "", [], "")]
V1 = [View("cpu,cpuacct", "cgroup", "cpu,cpuacct", ["cpu", "cpuacct"], ""), View("systemd", "cgroup", "name=systemd", [], "")]
OVERLAY: Any = [{"type": "overlay", "source": "overlay", "options": ["lowerdir=/a", "upperdir=/b", "workdir=/c"]}]


def told(spec: Any, mounts: Any = OVERLAY, cgroups: Any = V2) -> list[str]:
    return [str(operation) for operation in rootfs.plan(spec, "/bundle", rootfs.Circumstances(mounts, cgroups)).operations()]


def test_the_root_comes_first_and_the_masks_come_last() -> None:
    lines = told(default_spec())
    assert lines[:2] == ["propagation 0x84000 of /", "mount overlay at /bundle/rootfs"]
    assert lines[2] == 'mount "proc" to rootfs at "/proc"'
    assert lines.index("device /dev/null") > lines.index('mount "tmpfs" to rootfs at "/dev"')
    assert lines[-1] == "mask /sys/devices/virtual/powercap"
    assert max(index for index, line in enumerate(lines) if line.startswith("mount ")) < lines.index("read-only /proc/bus")


def test_a_plain_directory_is_bound_onto_itself() -> None:
    assert told(default_spec(), [])[1] == "mount  at /bundle/rootfs"


def test_version_1_has_a_directory_for_each_hierarchy() -> None:
    lines = told(default_spec(), cgroups=V1)
    begin = lines.index('mount "tmpfs" to rootfs at "/sys/fs/cgroup"')
    assert lines[begin + 1 : begin + 6] == [
        'mount "cgroup" to rootfs at "/sys/fs/cgroup/cpu,cpuacct"',
        "symlink /sys/fs/cgroup/cpu",
        "symlink /sys/fs/cgroup/cpuacct",
        'mount "systemd" to rootfs at "/sys/fs/cgroup/systemd"',
        "remount /sys/fs/cgroup",
    ]


def test_a_bound_dev_gets_no_devices() -> None:
    spec: Any = default_spec()
    spec["mounts"] = [{"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}]
    assert not [line for line in told(spec) if line.startswith("device")]


def test_a_device_of_the_document_replaces_the_default_one() -> None:
    spec: Any = default_spec()
    spec["linux"]["devices"] = [{"type": "c", "path": "/dev/null", "major": 1, "minor": 3, "fileMode": 0o600}]
    assert told(spec).count("device /dev/null") == 1


@pytest.mark.parametrize(
    ("words", "flags", "propagation", "data"),
    [
        ([], 0, [], b""),
        (["ro", "nosuid", "rw"], ms.MS_NOSUID, [], b""),
        (["rbind", "rprivate"], ms.MS_BIND | ms.MS_REC, [ms.MS_PRIVATE | ms.MS_REC], b""),
        (["size=64k", "noexec", "mode=755"], ms.MS_NOEXEC, [], b"size=64k,mode=755"),
    ],
)
def test_mount_options(words: list[str], flags: int, propagation: list[int], data: bytes) -> None:
    found = mountoptions.parse(words)
    assert (found.flags, found.propagation, found.data) == (flags, propagation, data)


MOUNTINFO = """\
25 1 8:1 / / rw - ext4 /dev/sda1 rw
30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/usr/lib/x,name=systemd
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct
34 25 0:30 / /mnt/other/memory rw - cgroup cgroup rw,memory
"""


def test_the_hybrid_layout_is_read() -> None:
    layout = hierarchy.parse(MOUNTINFO, "/sys/fs/cgroup")
    assert layout.controllers == {"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct"}
    assert [found.controllers for found in layout.hierarchies] == [["name=systemd"], ["cpu", "cpuacct"]]
    assert layout.unified == "/sys/fs/cgroup/unified"


def test_the_unified_layout_is_read() -> None:
    layout = hierarchy.parse("30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup")
    assert (layout.controllers, layout.unified) == ({}, "/sys/fs/cgroup")


def test_no_layout_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(Unsupported, match="no cgroup hierarchy is mounted below /sys/fs/cgroup: mount one"):
        hierarchy.parse("", "/sys/fs/cgroup")


def test_messages_of_init_are_numbers_of_one_size() -> None:
    data = failure.pack(failure.EXEC, 8, 3)
    assert len(data) == failure.SIZE
    assert failure.unpack(data) == (failure.EXEC, 8, 3)
    assert failure.NAMES[failure.EXEC] == "exec"


def test_words_for_a_program_that_cannot_run() -> None:
    assert command.message("x", failure.NOT_IN_PATH) == 'exec: "x": executable file not found in $PATH'
    assert command.message("/x", 40) == 'exec: "/x": stat /x: too many levels of symbolic links'


def test_environment_keeps_the_last_of_a_name_and_nothing_without_a_value() -> None:
    assert environment(["A=1", "B", "A=2", "=x", "C="]) == {b"A": b"2", b"C": b""}


@pytest.mark.parametrize(
    ("operation", "now", "message"),
    [
        ("start", "running", "cannot start an already running container"),
        ("start", "stopped", "cannot start a container that has stopped"),
        ("kill", "stopped", "container not running: x is stopped"),
        ("delete", "running", "cannot delete container x that is not stopped: running"),
    ],
)
def test_the_status_table_speaks_as_runc_does(operation: str, now: str, message: str) -> None:
    with pytest.raises(Conflict) as caught:
        status.require(operation, "x", now)
    assert str(caught.value) == message


def test_what_security_modules_add_to_a_mount_is_no_controller() -> None:
    table = """\
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,seclabel,xattr,release_agent=/usr/lib/x,name=systemd
34 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,seclabel,cpuacct,cpu
35 30 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,seclabel,cpuset,cpuset_v2_mode
"""
    found = hierarchy.parse(table, "/sys/fs/cgroup")
    assert [other.controllers for other in found.hierarchies] == [["name=systemd"], ["cpuacct", "cpu"], ["cpuset"]]
