"""Mounts of skiff-oci's containers, by what a program inside finds in its mount table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from skiff.linux import mounts as ms
from tests.root.oci import Oci


def table(text: str) -> dict[str, tuple[set[str], str]]:
    """Mount point: options, and the propagation fields, from mountinfo."""
    found = {}
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        fields = head.split()
        found[fields[4]] = (set(fields[5].split(",")) | {f"type={tail.split()[0]}"}, " ".join(fields[6:]))
    return found


def bind(source: Path, *options: str, target: str = "/mnt", **more: Any) -> dict[str, Any]:
    return {"destination": target, "type": "bind", "source": str(source), "options": ["rbind", *options], **more}


@pytest.mark.parametrize(
    ("options", "has", "has_not"),
    [
        (["ro", "nosuid", "nodev", "noexec"], {"ro", "nosuid", "nodev", "noexec"}, {"rw"}),
        (["nosymfollow"], {"nosymfollow"}, set()),
        (["noatime", "nodiratime"], {"noatime", "nodiratime"}, {"relatime"}),
        (["strictatime"], set(), {"relatime", "noatime"}),
        (["relatime"], {"relatime"}, {"noatime"}),
    ],
)
def test_options_of_a_tmpfs(oci: Oci, options: list[str], has: set[str], has_not: set[str]) -> None:
    mount = {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": [*options, "size=64k"]}
    found, _ = table(oci.said("cat", "/proc/self/mountinfo", mounts=[mount]))["/mnt"]
    assert has <= found
    assert not has_not & found


@pytest.fixture
def nested(tmp_path: Path) -> Any:
    """A directory with another mount in it."""
    outer = tmp_path / "outer"
    (outer / "inner").mkdir(parents=True)
    ms.mount(b"tmpfs", os.fsencode(outer / "inner"), b"tmpfs", 0, b"size=64k")
    (outer / "inner" / "file").write_text("inner\n")
    yield outer
    ms.unmount(os.fsencode(outer / "inner"))


@pytest.mark.parametrize(
    ("word", "outer", "inner"),
    [
        ("ro", {"ro"}, {"rw"}),
        ("rro", {"ro"}, {"ro"}),
        ("rnosuid", {"nosuid"}, {"nosuid"}),
        ("rnodev", {"nodev"}, {"nodev"}),
        ("rnoexec", {"noexec"}, {"noexec"}),
        ("rnoatime", {"noatime"}, {"noatime"}),
        ("rnodiratime", {"nodiratime"}, {"nodiratime"}),
        ("rnosymfollow", {"nosymfollow"}, {"nosymfollow"}),
    ],
)
def test_recursive_options_reach_what_is_mounted_below(oci: Oci, nested: Path, word: str, outer: set[str], inner: set[str]) -> None:
    found = table(oci.said("cat", "/proc/self/mountinfo", mounts=[bind(nested, word)]))
    assert outer <= found["/mnt"][0]
    assert inner <= found["/mnt/inner"][0]


def test_a_plain_bind_leaves_out_what_is_mounted_below(oci: Oci, nested: Path) -> None:
    mount = {"destination": "/mnt", "type": "bind", "source": str(nested), "options": ["bind"]}
    assert "/mnt/inner" not in table(oci.said("cat", "/proc/self/mountinfo", mounts=[mount]))


@pytest.mark.parametrize(
    ("word", "field"), [("rshared", "shared:"), ("rprivate", ""), ("rslave", "master:"), ("unbindable", "unbindable")]
)
def test_propagation_of_a_mount(oci: Oci, nested: Path, word: str, field: str) -> None:
    ms.mount(None, os.fsencode(nested / "inner"), None, ms.MS_SHARED)
    found = table(oci.said("cat", "/proc/self/mountinfo", mounts=[bind(nested / "inner", word)]))["/mnt"][1]
    assert field in found if field else found == ""


@pytest.mark.parametrize("word", ["shared", "slave", "private", "rshared", "rprivate"])
def test_propagation_of_the_root_is_runcs(oci: Oci, word: str) -> None:
    linux = {"rootfsPropagation": word}
    fields = table(oci.said("cat", "/proc/self/mountinfo", linux=linux))["/"][1]
    theirs = table(oci.by_runc("cat", "/proc/self/mountinfo", linux=linux))["/"][1]
    assert [field.partition(":")[0] for field in fields.split()] == [field.partition(":")[0] for field in theirs.split()]


def test_tmpcopyup_keeps_what_was_there(oci: Oci) -> None:
    deep = oci.box.rootfs / "srv" / "data" / "deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("kept\n")
    os.chown(deep / "file", 7, 8)
    (deep / "file").chmod(0o4750)
    (deep / "link").symlink_to("file")
    (oci.box.rootfs / "srv" / "data").chmod(0o1770)
    os.utime(deep, (1, 2))
    mount = {"destination": "/srv/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "size=1m"]}
    script = "cd /srv/data; cat deep/link; stat -c '%a %u %g' deep/file .; stat -c %Y deep; touch new"
    assert oci.said("sh", "-c", script, mounts=[mount]).split("\n") == ["kept", "4750 7 8", "1770 0 0", "2", ""]


@pytest.mark.parametrize(("options", "users"), [(["idmap"], ["1000", "0"]), (["ridmap"], ["1000", "1000"])])
def test_an_idmapped_bind_shows_other_owners(oci: Oci, nested: Path, options: list[str], users: list[str]) -> None:
    mapping = [{"containerID": 0, "hostID": 1000, "size": 1}]
    (nested / "own").write_text("")
    mount = bind(nested, *options, uidMappings=mapping, gidMappings=mapping)
    assert oci.said("stat", "-c", "%u", "/mnt/own", "/mnt/inner/file", mounts=[mount]).split() == users


def test_only_binds_are_idmapped(oci: Oci, nested: Path) -> None:
    mount = {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["idmap"]}
    assert "options: only a bind mount can be idmapped" in oci.refused("true", mounts=[mount])
    assert "idmap needs uidMappings and gidMappings" in oci.refused("true", mounts=[bind(nested, "idmap")])


def test_a_read_only_dev_has_its_devices(oci: Oci) -> None:
    def readonly(spec: dict[str, Any]) -> None:
        for mount in spec["mounts"]:
            if mount["destination"] == "/dev":
                mount["options"].append("ro")

    bundle = oci.bundle("a", "sh", "-c", "head -c 1 /dev/zero | wc -c; touch /dev/x; echo $?; touch /dev/shm/x; echo $?")
    oci.spec("a", readonly)
    assert oci("run", "-b", str(bundle), "a").stdout.split() == ["1", "1", "0"]


def test_a_read_only_tmpfs_has_its_devices_and_mount_points(oci: Oci) -> None:
    def readonly(spec: dict[str, Any]) -> None:
        spec["mounts"] += [
            {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]},
            {"destination": "/mnt/below", "type": "tmpfs", "source": "tmpfs"},
        ]
        spec["linux"]["devices"] = [{"path": "/mnt/zero", "type": "c", "major": 1, "minor": 5}]

    bundle = oci.bundle("a", "sh", "-c", "head -c 1 /mnt/zero | wc -c; touch /mnt/x; echo $?; touch /mnt/below/x; echo $?")
    oci.spec("a", readonly)
    assert oci("run", "-b", str(bundle), "a").stdout.split() == ["1", "1", "0"]


def test_devices_of_the_document(oci: Oci) -> None:
    devices = [
        {"path": "/dev/own/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
    ]
    said = oci.said("stat", "-c", "%F %a %u %g %t,%T", "/dev/own/zero", "/dev/pipe", linux={"devices": devices})
    assert said.splitlines() == ["character special file 640 3 4 1,5", "fifo 600 0 0 0,0"]


@pytest.mark.parametrize("name", ["mqueue", "proc", "sysfs", "devpts"])
def test_the_kernels_file_systems(oci: Oci, name: str) -> None:
    found = table(oci.said("cat", "/proc/self/mountinfo"))
    assert f"type={name}" in {word for words, _ in found.values() for word in words}


def test_no_pivot_moves_the_root_and_leaves_no_proc_of_the_hosts(oci: Oci) -> None:
    script = "ls /; cat /proc/self/mountinfo | wc -l; cd ../../..; ls -d bin; ls /proc | grep -c '^[0-9]'"
    words = oci.said("sh", "-c", script, flags=["--no-pivot"]).split()
    assert words[:7] == ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]
    assert words[-2] == "bin"
    assert int(words[-1]) < 8
    assert oci.run("true", flags=["--no-pivot"], root={"path": "rootfs", "readonly": True}).returncode == 0


def test_a_bind_without_a_type_and_with_a_relative_source(oci: Oci) -> None:
    bundle = oci.bundle("a", "cat", "/mnt/note")
    (bundle / "files").mkdir()
    (bundle / "files" / "note").write_text("bundled\n")
    oci.spec("a", lambda spec: spec["mounts"].append({"destination": "/mnt", "source": "files", "options": ["rbind"]}))
    assert oci("run", "-b", str(bundle), "a").stdout == "bundled\n"


def test_data_goes_to_the_file_system(oci: Oci) -> None:
    mount = {
        "destination": "/mnt",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["mode=1711", "uid=5", "size=64k", "nr_inodes=7"],
    }
    assert oci.said("stat", "-c", "%a %u", "/mnt", mounts=[mount]) == "1711 5\n"
    wrong = {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuchoption"]}
    assert 'mount "tmpfs" to rootfs at "/mnt": invalid argument' in oci.refused("true", mounts=[wrong])
