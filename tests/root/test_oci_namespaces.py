"""Namespaces of skiff-oci's containers: made, joined, shared; what is seen from inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.root.oci import Oci

FIRST = 100_000
MAPPED = {
    "uidMappings": [{"containerID": 0, "hostID": FIRST, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": FIRST, "size": 65536}],
}


def kinds(*more: str, without: tuple[str, ...] = ()) -> list[dict[str, str]]:
    return [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc", "cgroup", *more) if kind not in without]


@pytest.fixture
def users(oci: Oci) -> Oci:
    """Bundles whose root belongs to the mapped root, below directories closed to it."""
    oci.owner = FIRST
    return oci


def test_a_user_namespace_maps_ids(users: Oci) -> None:
    said = users.said("cat", "/proc/self/uid_map", "/proc/self/gid_map", linux={"namespaces": kinds("user"), **MAPPED})
    assert [line.split() for line in said.splitlines()] == [["0", str(FIRST), "65536"]] * 2


def test_in_a_user_namespace_everything_else_is_there_too(users: Oci, tmp_path: Path) -> None:
    assert tmp_path.stat().st_mode & 0o77 == 0, "the way must be closed"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "note").write_text("the host's\n")
    script = "id -u; hostname; echo x > /root/x && stat -c %u /root/x; head -c 1 /dev/zero | wc -c; cat /mnt/note; "
    script += "grep Cap /proc/self/status; "
    script += "ls /sys/fs/cgroup | wc -l; grep -c . /proc/keys; echo 1 > /proc/sys/vm/swappiness || echo refused"
    bind = {"destination": "/mnt", "type": "bind", "source": str(tmp_path / "data"), "options": ["rbind", "ro"]}
    done = users.run("sh", "-c", script, linux={"namespaces": kinds("user"), **MAPPED}, mounts=[bind])
    lines = done.stdout.splitlines()
    assert lines[:5] == ["0", "box", "0", "1", "the host's"]
    assert "CapEff:\t00000000a80425fb" in lines
    assert lines[-2:] == ["0", "refused"]


def test_a_bind_can_be_idmapped_by_the_containers_own_mapping(users: Oci, tmp_path: Path) -> None:
    """What is root's on the host is root's inside; without the mapping it is nobody's."""
    (tmp_path / "note").write_text("")
    for options, owner in ((["rbind", "idmap"], "0"), (["rbind"], "65534")):
        mount = {"destination": "/mnt", "type": "bind", "source": str(tmp_path / "note"), "options": options}
        linux = {"namespaces": kinds("user"), **MAPPED}
        assert users.said("stat", "-c", "%u", "/mnt", linux=linux, mounts=[mount]).strip() == owner


def test_root_of_a_user_namespace_is_nobody_outside(users: Oci) -> None:
    bundle = users.bundle("a", "sleep", "100", linux={**users.box.spec()["linux"], "namespaces": kinds("user"), **MAPPED})
    users("run", "-d", "-b", str(bundle), "a")
    pid = users.state("a")["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == FIRST
    said = users("exec", "a", "sh", "-c", "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user").stdout.split()
    assert said == ["0", "0", str(FIRST), "65536", os.readlink(f"/proc/{pid}/ns/user")]
    users("delete", "--force", "a")


def test_namespaces_of_another_container_are_joined_by_path(users: Oci) -> None:
    bundle = users.bundle("a", "sleep", "100", linux={**users.box.spec()["linux"], "namespaces": kinds("user"), **MAPPED})
    users("run", "-d", "-b", str(bundle), "a")
    pid = users.state("a")["pid"]
    files = {"user": "user", "network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
    joined = [{"type": kind, "path": f"/proc/{pid}/ns/{name}"} for kind, name in files.items()]
    script = "; ".join(f"readlink /proc/self/ns/{name}" for name in files.values())
    said = users.said("sh", "-c", script, linux={"namespaces": [{"type": "mount"}, *joined]}, hostname="")
    assert said.split() == [os.readlink(f"/proc/{pid}/ns/{name}") for name in files.values()]
    users("delete", "--force", "a")


def test_clocks_of_a_time_namespace_are_ahead(oci: Oci) -> None:
    offsets = {"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 500, "nanosecs": 7}}
    up, _, offset = oci.said(
        "sh", "-c", "cat /proc/uptime; cat /proc/self/timens_offsets", linux={"namespaces": kinds("time"), "timeOffsets": offsets}
    ).partition("\n")
    assert float(up.split()[0]) > 1_000_000
    assert [line.split() for line in offset.splitlines()] == [["monotonic", "500", "7"], ["boottime", "1000000", "0"]]


def test_a_time_namespace_is_joined_by_path(oci: Oci) -> None:
    linux = {**oci.box.spec()["linux"], "namespaces": kinds("time"), "timeOffsets": {"boottime": {"secs": 1_000_000}}}
    oci("run", "-d", "-b", str(oci.bundle("a", "sleep", "100", linux=linux)), "a")
    path = f"/proc/{oci.state('a')['pid']}/ns/time"
    joined = [*kinds(), {"type": "time", "path": path}]
    said = oci.said("sh", "-c", "readlink /proc/self/ns/time; cut -d . -f 1 /proc/uptime", linux={"namespaces": joined}).split()
    assert said[0] == os.readlink(path)
    assert int(said[1]) > 1_000_000
    oci("delete", "--force", "a")


def test_time_offsets_in_a_user_namespace(users: Oci) -> None:
    linux = {"namespaces": kinds("time", "user"), "timeOffsets": {"boottime": {"secs": 1_000_000}}, **MAPPED}
    assert float(users.said("cat", "/proc/uptime", linux=linux).split()[0]) > 1_000_000


def test_shared_namespaces_are_the_hosts(oci: Oci) -> None:
    names = {"network": "net", "uts": "uts", "ipc": "ipc", "cgroup": "cgroup", "pid": "pid"}
    script = "; ".join(f"readlink /proc/self/ns/{name}" for name in names.values())
    said = oci.said("sh", "-c", script, linux={"namespaces": kinds(without=tuple(names))}, hostname="")
    assert said.split() == [os.readlink(f"/proc/self/ns/{name}") for name in names.values()]


def test_without_a_mount_namespace_the_root_is_entered_all_the_same(oci: Oci) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    linux = {"namespaces": kinds(without=("mount",)), "maskedPaths": [], "readonlyPaths": []}
    bundle = oci.bundle("a", "sh", "-c", "ls /; cd ../../..; ls -d bin")
    oci.spec("a", lambda spec: spec.update(mounts=[], linux={**spec["linux"], **linux}))
    assert oci("run", "-b", str(bundle), "a").stdout.split() == ["bin", "dev", "etc", "root", "tmp", "bin"]
    assert Path("/proc/self/mountinfo").read_text() == before
    assert "mounts: needs a mount namespace" in oci.refused("true", linux={"namespaces": kinds(without=("mount",))})


def test_domainname_and_hostname(oci: Oci) -> None:
    said = oci.said("cat", "/proc/sys/kernel/domainname", "/proc/sys/kernel/hostname", domainname="example.org", hostname="web")
    assert said.split() == ["example.org", "web"]


def test_sysctls_of_its_namespaces(oci: Oci) -> None:
    wanted = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}
    said = oci.said("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmni", linux={"sysctl": wanted})
    assert said.split() == ["1", "77"]
