"""What survives whom: shims the launcher, no container its shim; and that nothing is left of either."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Callable

import pytest

from skiff.cli.oci import create, delete
from skiff.errors import Conflict
from skiff.launcher import client
from skiff.oci.create import Surroundings
from skiff.oci.store import Store
from skiff.shim import remains
from tests.root.box import Box, Container, Refused, alive, cgroup_directory

Until = Callable[[Callable[[], bool]], None]


def launcher_pid() -> int:
    """The only child of ours of that name; children of the launcher's are named otherwise."""
    [found] = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/comm")
        if path.read_text() == "skiff-launcher\n" and f"PPid:\t{os.getpid()}\n" in (path.parent / "status").read_text()
    ]
    return found


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def waiting(until: Until) -> tuple[int, int]:
    """The shim that waits for a request, and the maker that waits with it."""
    found: list[tuple[int, int]] = []

    def there() -> bool:
        shims = [pid for pid in children(launcher_pid()) if Path(f"/proc/{pid}/comm").read_text() == "skiff-waiting\n"]
        found[:] = [(pid, maker) for pid in shims for maker in children(pid)]
        return bool(found)

    until(there)
    return found[0]


def ends_without_its_shim(container: Container, until: Until) -> None:
    os.kill(container.shim_pid, signal.SIGKILL)
    until(lambda: not alive(container.pid))


def test_a_killed_launcher_leaves_shims_and_containers(box: Box, until: Until) -> None:
    container = box.create(box.spec("sh", "-c", "sleep 100; exit 5"))
    container.ask("start")
    pid = launcher_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    assert alive(container.pid)
    container.ask("kill", signal=9)
    assert container.ask("wait")["exit"]["code"] == 137
    with pytest.raises((EOFError, OSError)):
        client.request(box.launcher(), {"seq": 9, "op": "create", "v": 1, "id": "c2"})


def test_a_launcher_ends_when_its_daemon_does(box: Box, until: Until) -> None:
    box.launcher()
    pid = launcher_pid()
    box.launcher().close()
    box.sock = None
    until(lambda: not alive(pid))


def test_a_killed_shim_takes_its_container_along(box: Box, until: Until) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    ends_without_its_shim(container, until)
    until(lambda: not (box.exec_root / "oci" / "c1").exists())
    record = json.loads((box.exec_root / "containers" / "c1" / "exit.json").read_text())
    assert (record["code"], record["signal"]) == (137, 9)


def test_a_container_that_cut_its_tie_to_the_shim_is_killed_by_the_launcher(box: Box, until: Until) -> None:
    # The exec of a set-user-ID program ends the parent's death signal.
    (box.rootfs / "bin" / "busybox").chmod(0o4755)
    spec = box.spec("sleep", "100")
    spec["process"]["user"] = {"uid": 1000, "gid": 1000}
    container = box.create(spec)
    container.ask("start")
    ends_without_its_shim(container, until)
    until(lambda: not (box.exec_root / "oci" / "c1").exists())


def test_without_shim_and_launcher_the_remains_are_cleared_by_whoever_comes(box: Box, until: Until) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    pid = launcher_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    with pytest.raises(Conflict, match="has a shim already"):
        remains.clear(str(box.exec_root), "c1")
    os.kill(container.shim_pid, signal.SIGKILL)
    until(lambda: not alive(container.pid))
    record = remains.clear(str(box.exec_root), "c1")
    assert record is not None
    assert record["code"] == 137
    assert remains.clear(str(box.exec_root), "c1") is None


def test_a_name_can_be_used_again(box: Box) -> None:
    for code in (3, 4):
        container = box.create(box.spec("sh", "-c", f"exit {code}"))
        assert container.run()["code"] == code
        container.ask("delete")


def test_many_at_once_from_one_launcher(box: Box) -> None:
    containers = [box.create(box.spec("sh", "-c", f"exit {number}"), f"c{number}") for number in range(12)]
    assert [container.run()["code"] for container in containers] == list(range(12))


@pytest.mark.parametrize(
    "request_",
    [{}, {"op": "create", "v": 1}, {"op": "create", "v": 2, "id": "x"}, {"op": "create", "v": 1, "id": "../x", "bundle": "/"}],
)
def test_the_launcher_refuses_a_request_that_is_wrong(box: Box, request_: dict[str, object]) -> None:
    reply = client.request(box.launcher(), {"seq": 1, **request_})
    assert reply["ok"] is False
    assert reply["error"]["message"]


def test_the_interpreter_that_enters_containers_cannot_be_written(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    for pid in (container.pid, container.shim_pid):
        assert os.readlink(f"/proc/{pid}/exe") == "/memfd:skiff (deleted)"
        with pytest.raises(OSError, match=r"busy|not permitted"):
            os.open(f"/proc/{pid}/exe", os.O_RDWR)


def test_two_creates_of_one_name_at_once_make_one_container(box: Box) -> None:
    box.launcher()
    directory, mounts = box.bundle("c1", box.spec("sleep", "100"))
    for sequence in (1, 2):
        client.send(
            box.launcher(),
            {"seq": sequence, "op": "create", "v": 1, "id": "c1", "bundle": str(directory), "mounts": mounts,
             "cgroup": {"driver": "cgroupfs", "path": f"{box.prefix}/c1"}},
        )  # fmt: skip
    replies = [client.receive(box.launcher()) for _ in (1, 2)]
    made = [reply for reply in replies if reply["ok"]]
    refused = [reply["error"]["message"] for reply in replies if not reply["ok"]]
    assert (len(made), len(refused)) == (1, 1)
    assert "c1 is being created" in refused[0]
    container = Container(box, "c1", made[0])
    box.containers.append(container)
    assert container.ask("state")["pid"] == made[0]["pid"]


@pytest.mark.parametrize("identity", ["../../planted", "", "a/b"])
def test_a_name_that_is_a_path_is_refused_in_words(box: Box, identity: str) -> None:
    reply = client.request(box.launcher(), {"seq": 1, "op": "create", "v": 1, "id": identity, "bundle": "/"})
    assert "invalid container id" in reply["error"]["message"]
    assert not list(box.path.rglob("*.crash"))


@pytest.mark.parametrize("request_", [{}, {"bundle": "/nosuch"}, {"bundle": "/", "log": 5}, {"bundle": "/", "cgroup": []}])
def test_half_a_request_is_refused_in_words(box: Box, request_: dict[str, object]) -> None:
    reply = client.request(box.launcher(), {"seq": 1, "op": "create", "v": 1, "id": "c1", **request_})
    assert reply["ok"] is False
    assert "died" not in reply["error"]["message"]
    assert not list(box.path.rglob("*.crash"))


def test_a_create_killed_halfway_can_be_deleted(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its init waits for a start that never comes, so what it had made must be on record before."""
    spec = box.spec("sleep", "100")
    spec["linux"]["cgroupsPath"] = f"{box.prefix}/c1"
    directory, _ = box.bundle("c1", spec)
    flags = {"bundle": str(directory)}
    containers = Store(str(box.path / "oci"))

    def killed(_spec: object, _bundle: str, around: Surroundings, _channels: object) -> None:
        around.cgroup.create({})
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(create, "create", killed)
    pid = os.fork()
    if pid == 0:
        try:
            create.make(containers, "c1", *create.load(flags), flags)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    delete.delete(containers, "c1", force=False)
    assert not (box.path / "oci" / "c1").exists()
    assert not list(Path("/sys/fs/cgroup").glob(f"*{box.prefix}/c1"))


def test_a_killed_maker_leaves_nothing(box: Box) -> None:
    """Its last act is a hook that kills it, when init and the groups are there; the identity is free again."""
    spec = box.spec("true")
    spec["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $PPID"]}]}
    with pytest.raises(Refused, match="the process that creates the container died"):
        box.create(spec)
    assert not cgroup_directory("memory", f"{box.prefix}/c1").exists()
    assert not list((box.exec_root / "shims").iterdir())
    assert box.create(box.spec("true")).run()["code"] == 0


def test_what_waits_ends_with_the_launcher(box: Box, until: Until) -> None:
    box.launcher()
    shim, maker = waiting(until)
    os.kill(launcher_pid(), signal.SIGKILL)
    until(lambda: not alive(shim) and not alive(maker))


def test_a_container_is_made_by_what_waits(box: Box, until: Until) -> None:
    box.launcher()
    shim, _ = waiting(until)
    container = box.create(box.spec("true"))
    assert container.shim_pid == shim
    assert container.run()["code"] == 0
    assert waiting(until)[0] != shim


@pytest.mark.parametrize("which", [0, 1])
def test_what_waits_can_be_killed(box: Box, until: Until, which: int) -> None:
    box.launcher()
    killed = waiting(until)[which]
    os.kill(killed, signal.SIGKILL)
    until(lambda: not alive(killed))
    assert box.create(box.spec("true")).run()["code"] == 0


def test_what_waits_holds_nothing_of_others(box: Box, until: Until) -> None:
    container = box.create(box.spec("sleep", "100"), stdin=True)
    others = {*opened(container.shim_pid), *opened(launcher_pid())} - {"/dev/null"}
    for pid in waiting(until):
        assert not others & set(opened(pid))


def opened(pid: int) -> list[str]:
    return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]


def test_a_log_that_cannot_be_opened_leaves_nothing(box: Box, until: Until) -> None:
    """The container is made at the same time, and undone."""
    (box.path / "c1.log").mkdir()
    with pytest.raises(Refused, match="Is a directory"):
        box.create(box.spec("true"))
    assert not cgroup_directory("memory", f"{box.prefix}/c1").exists()
    assert not list((box.exec_root / "shims").iterdir())
    until(lambda: not (box.exec_root / "oci" / "c1").exists())
    (box.path / "c1.log").rmdir()
    assert box.create(box.spec("true")).run()["code"] == 0


def test_a_group_of_anothers_outlives_a_log_that_cannot_be_opened(box: Box) -> None:
    other = box.create(box.spec("sleep", "100"), "other")
    (box.path / "c1.log").mkdir()
    directory, mounts = box.bundle("c1", box.spec("true"))
    reply = client.request(
        box.launcher(),
        {"seq": 9, "op": "create", "v": 1, "id": "c1", "bundle": str(directory), "mounts": mounts,
         "log": {"driver": "json-file", "path": str(box.path / "c1.log")}, "cgroup": {"path": f"{box.prefix}/other"}},
    )  # fmt: skip
    assert "Is a directory" in reply["error"]["message"]
    assert alive(other.pid)
