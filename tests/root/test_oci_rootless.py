"""skiff-oci run by a user without any rights: with its one id, and with a range that newuidmap gives it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from skiff.linux import mounts as ms

RUNTIME = Path(__file__).parents[2] / "runtime"
UID = 54321
FIRST, COUNT = 700_000, 65_536


class User:
    """A copy of the runtime, and a bundle, where the user may be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = next(
            (found for found in (sys.executable, "/usr/bin/python3") if self._may_run(found)),
            "",
        )
        if not self.python:
            pytest.skip("no Python that another user may run")

    @staticmethod
    def _may_run(python: str) -> bool:
        command = [python, "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]
        try:
            return subprocess.run(command, user=UID, group=UID, extra_groups=[], capture_output=True).returncode == 0
        except OSError:
            return False

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(self.path / "run"), "SKIFF_PYTHON": self.python}
        with open(self.path / "said", "w+", encoding="utf-8") as said, open(self.path / "wrong", "w+", encoding="utf-8") as wrong:
            done = subprocess.run(
                [str(self.path / "runtime" / "bin" / "skiff-oci"), *arguments],
                user=UID, group=UID, extra_groups=[], stdin=subprocess.DEVNULL, stdout=said, stderr=wrong,
                timeout=30, cwd=self.path, env=environment,
            )  # fmt: skip
            said.seek(0)
            wrong.seek(0)
            result = subprocess.CompletedProcess(arguments, done.returncode, said.read(), wrong.read())
        assert not check or result.returncode == 0, result.stderr
        return result

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.path / "bundle" / "config.json"
        spec = json.loads(path.read_text())
        spec["process"]["terminal"] = False
        change(spec)
        path.write_text(json.dumps(spec))


@pytest.fixture
def user(busybox: Path) -> Iterator[User]:
    path = Path(tempfile.mkdtemp(prefix="skiff-rootless-", dir="/var/tmp"))
    path.chmod(0o755)
    try:
        shutil.copytree(RUNTIME, path / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("run", "bundle/rootfs/bin"):
            (path / name).mkdir(parents=True)
        shutil.copy(busybox, path / "bundle" / "rootfs" / "bin" / "busybox")
        for name in ("sh", "id", "cat", "sleep", "grep", "touch", "stat", "hostname"):
            (path / "bundle" / "rootfs" / "bin" / name).symlink_to("busybox")
        subprocess.run(["chown", "-hR", f"{UID}:{UID}", path / "run", path / "bundle", path / "runtime"], check=True)
        made = User(path)
        made("spec", "--rootless", "-b", "bundle")
        yield made
    finally:
        shutil.rmtree(path)


def test_with_ones_own_id(user: User) -> None:
    script = "id -u; id -g; cat /proc/self/uid_map; hostname; touch /tmp/x || echo read-only; grep -c : /proc/self/status"
    user.change(lambda spec: spec["process"].update(args=["sh", "-c", script]))
    lines = user("run", "-b", "bundle", "a").stdout.splitlines()
    assert lines[:2] == ["0", "0"]
    assert lines[2].split() == ["0", str(UID), "1"]
    assert lines[3:5] == ["skiff", "read-only"]


def test_the_whole_life_of_a_container(user: User) -> None:
    user.change(lambda spec: spec["process"].update(args=["sleep", "100"]))
    user("create", "-b", "bundle", "a")
    user("start", "a")
    state = json.loads(user("state", "a").stdout)
    assert (state["status"], state["owner"]) == ("running", f"#{UID}")
    assert os.stat(f"/proc/{state['pid']}").st_uid == UID
    assert user("exec", "a", "sh", "-c", "id -u; cat /proc/1/comm").stdout == "0\nsleep\n"
    assert (user.path / "run" / "skiff-oci" / "a").is_dir()
    user("kill", "a", "KILL")
    os.waitpid(state["pid"], 0)
    user("delete", "a")
    assert list((user.path / "run" / "skiff-oci").iterdir()) == []


@pytest.fixture
def ranges(tmp_path: Path) -> Iterator[None]:
    """A range of ids for the user, as an administrator gives it."""
    if shutil.which("newuidmap") is None:
        pytest.skip("newuidmap (package uidmap) is not installed")
    lines = {
        "/etc/subuid": f"{UID}:{FIRST}:{COUNT}\n",
        "/etc/subgid": f"{UID}:{FIRST}:{COUNT}\n",
        "/etc/passwd": f"skifftest:x:{UID}:{UID}::/:/bin/false\n",
    }
    # In the mount namespace of these tests, so that the machine's own files are left alone.
    for name, line in lines.items():
        own = tmp_path / Path(name).name
        own.write_text(Path(name).read_text() + line)
        ms.mount(os.fsencode(own), name.encode(), None, ms.MS_BIND)
    yield
    for name in lines:
        ms.unmount(name.encode())


def test_with_a_range_of_ids(user: User, ranges: None) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["process"]["args"] = ["sh", "-c", "id -u; id -G; cat /proc/self/uid_map"]
        spec["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
        for name, own in (("uidMappings", UID), ("gidMappings", UID)):
            spec["linux"][name] = [
                {"containerID": 0, "hostID": own, "size": 1},
                {"containerID": 1, "hostID": FIRST, "size": COUNT},
            ]

    user.change(change)
    lines = user("run", "-b", "bundle", "a").stdout.splitlines()
    assert lines[:2] == ["1000", "1000 5"]
    assert [line.split() for line in lines[2:]] == [["0", str(UID), "1"], ["1", str(FIRST), str(COUNT)]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda spec: spec["process"].update(user={"uid": 0, "gid": 0, "additionalGids": [5]}),
            "process.user.additionalGids: this user namespace forbids other groups",
        ),
        (
            lambda spec: spec["linux"].update(namespaces=[row for row in spec["linux"]["namespaces"] if row["type"] != "user"],
                                              uidMappings=[], gidMappings=[]),
            "rootless container requires user namespaces",
        ),
        (
            lambda spec: spec["linux"].update(resources={"memory": {"limit": 1 << 28}}),
            "so that its limits cannot be set",
        ),
        (lambda spec: spec["linux"]["uidMappings"][0].update(hostID=0), "user namespace: "),
    ],
    ids=["groups", "no-user-namespace", "limits", "another's-id"],
)  # fmt: skip
def test_what_a_user_may_not(user: User, change: Callable[[dict[str, Any]], None], message: str) -> None:
    user.change(change)
    done = user("run", "-b", "bundle", "a", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (user.path / "run" / "skiff-oci" / "a").exists()
