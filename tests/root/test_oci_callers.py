"""Several callers of skiff-oci at once, and what a caller such as containerd reads of it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable

import pytest

from skiff.errors import NotFound
from skiff.oci.store import Store
from tests.root.oci import Oci


def start(oci: Oci, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SKIFF_PYTHON": sys.executable}
    command, null = [*oci.command, "--root", str(oci.root), *arguments], subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=null, stdout=null, stderr=null)


def test_of_many_creates_one_wins(oci: Oci) -> None:
    bundle = oci.bundle("a", "sleep", "100")
    codes = [one.wait(60) for one in [start(oci, "create", "-b", str(bundle), "a") for _ in range(5)]]
    assert sorted(codes) == [0, 1, 1, 1, 1]
    assert oci.state("a")["status"] == "created"
    oci("delete", "--force", "a")


def test_of_many_starts_one_wins_and_deletes_agree(oci: Oci) -> None:
    oci("create", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    assert sorted(one.wait(60) for one in [start(oci, "start", "a") for _ in range(4)]) == [0, 1, 1, 1]
    assert [one.wait(60) for one in [start(oci, "delete", "--force", "a") for _ in range(4)]] == [0] * 4
    assert list(oci.root.iterdir()) == []


def test_a_lock_of_a_container_that_is_gone_is_not_that_of_its_successor(
    tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Whoever waited for the old one must take the new one's."""
    store = Store(str(tmp_path / "oci"))
    store.add("a")
    old = os.open(tmp_path / "oci" / "a" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(old, fcntl.LOCK_EX)
    found: list[bool] = []

    def wait() -> None:
        with store.lock("a"):
            new = os.open(tmp_path / "oci" / "a" / "lock", os.O_RDWR)
            try:
                fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(False)
            except BlockingIOError:
                found.append(True)
            os.close(new)

    waiter = threading.Thread(target=wait)
    waiter.start()
    until(lambda: f"-> FLOCK  ADVISORY  WRITE {os.getpid()} " in Path("/proc/locks").read_text())
    store.remove("a")
    store.add("a")
    os.close(old)
    waiter.join(20)
    assert found == [True]
    store.remove("a")
    with pytest.raises(NotFound), store.lock("a"):
        pass


def test_the_log_has_warnings_and_with_debug_what_was_done(oci: Oci, tmp_path: Path) -> None:
    bundle = oci.bundle("a", "true")
    oci.spec("a", lambda spec: spec["process"]["capabilities"]["bounding"].append("CAP_FLY"))
    for flags, levels in ((["--debug"], ["warning", "debug"]), ([], ["warning"])):
        log = tmp_path / f"log{len(flags)}"
        done = oci("--log", str(log), "--log-format", "json", *flags, "run", "-b", str(bundle), "a")
        assert done.stderr == ""
        assert [json.loads(line)["level"] for line in log.read_text().splitlines()] == levels
    plain = tmp_path / "plain"
    oci("--log", str(plain), "state", "nosuch", check=False)
    assert 'level=error msg="container does not exist: nosuch"' in plain.read_text()


def test_a_mount_namespace_is_joined_by_path(oci: Oci, tmp_path: Path) -> None:
    """What is mounted there can be bound; the root is the bundle's all the same."""
    (tmp_path / "shown").mkdir()
    script = f"mount -t tmpfs tmpfs {tmp_path}/shown && touch {tmp_path}/shown/there && echo ready && exec sleep 100"
    holder = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    kinds = [{"type": "mount", "path": f"/proc/{holder.pid}/ns/mnt"}, {"type": "pid"}, {"type": "uts"}]
    bind = {"destination": "/mnt", "type": "bind", "source": str(tmp_path / "shown"), "options": ["bind"]}
    try:
        assert oci.said("ls", "/mnt", "/bin/sh", linux={"namespaces": kinds}, mounts=[bind]).split() == [
            "/bin/sh",
            "/mnt:",
            "there",
        ]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_name_taken_by_a_create_that_died_is_given_back(oci: Oci) -> None:
    Store(str(oci.root)).add("a")
    bundle = oci.bundle("a", "true")
    assert "container with id exists: a" in oci("create", "-b", str(bundle), "a", check=False).stderr
    oci("delete", "--force", "a")
    oci("run", "-b", str(bundle), "a")
    assert list(oci.root.iterdir()) == []
