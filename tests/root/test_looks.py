"""The agent's looks against the real kernel: what works is seen to, and what the kernel refuses is told in its words."""

from __future__ import annotations

import glob
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.root import tmpfs
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost

KINDS = ["cgroup", "ipc", "mnt", "net", "pid", "uts"]
NO_NETWORKS = 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"'
PLAIN = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path, path=FakeHost(tmp_path).path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB and 16 inodes."""
    with tmpfs.mounted(tmp_path / "small", "size=1m,nr_inodes=16") as folder:
        yield folder


def asked(session: Session, look: str, **given: Any) -> Any:
    probe = {"name": look, "argv": [], "when": "verify", "timeout": 30, "contents": {}, "look": look, "given": given}
    (result,) = session.run("verify", [], [probe]).one("probes")["results"]
    assert result["status"] == 0, result
    return json.loads(result["stdout"])


def test_all_six_namespaces_are_made(session: Session) -> None:
    assert asked(session, "namespaces") == dict.fromkeys(KINDS, "")


def test_a_namespace_that_the_kernel_refuses(session: Session) -> None:
    session.within = ("unshare", "--user", "--map-root-user", "sh", "-c", NO_NETWORKS, "sh")
    assert asked(session, "namespaces") == {**dict.fromkeys(KINDS, ""), "net": "unshare: No space left on device"}


def test_namespaces_without_the_privilege(session: Session) -> None:
    session.within = PLAIN
    assert asked(session, "namespaces") == dict.fromkeys(KINDS, "unshare: Operation not permitted")


def test_copy_on_write_leaves_nothing(session: Session, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / ".skiff-verify.999999999" / "upper").mkdir(parents=True)
    before = Path("/proc/self/mountinfo").read_text()
    found = asked(session, "copy_on_write", root=str(root))
    assert (found["there"], found["overlay"]) == (True, "")
    assert os.listdir(root) == []
    assert Path("/proc/self/mountinfo").read_text() == before
    assert asked(session, "copy_on_write", root=str(root / "none")) == {"there": False}


def test_copy_on_write_on_an_overlay_and_without_the_privilege(session: Session, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("lower", "upper", "work", "root"):
        (tmp_path / name).mkdir()
    session.within = PLAIN
    assert asked(session, "copy_on_write", root=str(root))["overlay"] == "unshare: Operation not permitted"
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mount = f'mount -t overlay -o {options} overlay {root}; exec "$@"'
    session.within = ("unshare", "--mount", "sh", "-e", "-c", mount, "sh")
    found = asked(session, "copy_on_write", root=str(root))
    assert found["type"] == "overlay"
    assert found["overlay"].endswith("Invalid argument")
    assert os.listdir(tmp_path / "upper") == []


def test_copy_on_write_on_a_file_system_that_takes_no_writes(session: Session, small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    assert asked(session, "copy_on_write", root=str(small))["overlay"].startswith("Read-only file system")


def test_inodes_run_out(session: Session, small: Path) -> None:
    for number in range(20):
        if os.statvfs(small).f_favail:
            (small / str(number)).touch()
    (found,) = asked(session, "room", paths=[str(small)])
    assert (found["inodes"], found["inodes_free"], found["mount"]) == (16, 0, str(small))


def test_controllers_are_tried_and_no_group_is_left(session: Session) -> None:
    found = asked(session, "cgroups", v1=["memory", "cpu", "nonesuch"], v2=["memory", "cpu", "nonesuch"])
    assert found["controllers"].pop("nonesuch")
    assert found["controllers"] == {"memory": "", "cpu": ""}
    assert glob.glob("/sys/fs/cgroup/*/skiff-verify.*") == []
