"""A container's root: the overlay given to it, the kernel's file systems, what is masked and what is read-only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skiff.spec import defaults
from tests.root.box import Box, Refused


def test_what_it_writes_lands_in_its_own_layer(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "echo changed > /etc/passwd; echo new > /new"))
    assert container.run()["code"] == 0
    assert "changed" not in (box.rootfs / "etc" / "passwd").read_text()
    assert not (box.rootfs / "new").exists()
    assert (container.upper / "new").read_text() == "new\n"


def test_the_hosts_mount_table_does_not_show_it(box: Box) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    box.create(box.spec("sleep", "9")).ask("start")
    assert Path("/proc/self/mountinfo").read_text() == before


def test_nothing_of_the_host_is_to_be_seen(box: Box) -> None:
    _, said = box.run("ls", "/")
    assert set(said.split()) == {"bin", "dev", "etc", "proc", "root", "sys", "tmp"}
    _, said = box.run("cat", "/proc/self/mounts")
    assert str(box.path) not in said.replace(f"lowerdir={box.path}", "").replace(f"dir={box.path}", "")


def test_masked_paths_are_empty(box: Box) -> None:
    there = [path for path in defaults.MASKED_PATHS if os.path.exists(path)]
    assert "/proc/keys" in there
    _, said = box.run("sh", "-c", f"for f in {' '.join(there)}; do if [ -d $f ]; then ls $f; else cat $f; fi; done")
    assert said == ""


def test_read_only_paths_refuse_writing(box: Box) -> None:
    ended, _ = box.run("sh", "-c", "echo 1 > /proc/sys/kernel/hostname")
    assert ended["code"] == 1
    ended, _ = box.run("sh", "-c", "echo b > /proc/sysrq-trigger")
    assert ended["code"] == 1


def test_a_read_only_root(box: Box) -> None:
    spec = box.spec("sh", "-c", "touch /file; echo $?; touch /dev/shm/file; echo $?")
    spec["root"]["readonly"] = True
    _, said = box.run_spec(spec)
    assert said.split() == ["1", "0"]


def test_devices_links_and_mounts_of_dev(box: Box) -> None:
    names = "null zero full random urandom tty"
    _, said = box.run(
        "sh", "-c", f"cd /dev; stat -c '%n %a %t,%T' {names}; for l in fd stdin stdout stderr ptmx; do readlink $l; done"
    )
    assert said.split("\n")[:6] == [
        f"{name} 666 {major},{minor:x}"
        for name, (major, minor) in zip(names.split(), [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0)])
    ]
    assert said.split()[18:] == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]


def test_binds_of_files_and_directories(box: Box, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "note").write_text("from the host\n")
    spec = box.spec("sh", "-c", "cat /mnt/note /etc/hosts; touch /mnt/x; echo $?")
    for source, target in (("data", "/mnt"), ("data/note", "/etc/hosts")):
        spec["mounts"].append({"destination": target, "type": "bind", "source": str(tmp_path / source), "options": ["rbind", "ro"]})
    _, said = box.run_spec(spec)
    assert said == "from the host\nfrom the host\n1\n"


def test_a_mount_that_cannot_be_made_is_named(box: Box) -> None:
    spec = box.spec("true")
    spec["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/nosuch", "options": ["bind"]})
    with pytest.raises(Refused) as caught:
        box.create(spec)
    assert caught.value.error["message"].endswith('mount "/nosuch" to rootfs at "/mnt": no such file or directory')
    assert caught.value.error["step"] == "rootfs"
