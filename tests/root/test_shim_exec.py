"""Further processes through the shim: their streams, their end, and that they are in the container like its first process."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from skiff.spec.seccomp_profile import default_profile
from tests.root.box import Box, Container, Refused, alive, status_field

Until = Callable[[Callable[[], bool]], None]
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


@pytest.fixture
def running(box: Box) -> Container:
    """A container with Docker's profile that does nothing."""
    spec = box.spec("sleep", "1000")
    spec["linux"]["seccomp"] = default_profile(spec["process"]["capabilities"]["bounding"])
    container = box.create(spec)
    container.ask("start")
    return container


def test_it_has_the_streams_that_came_with_the_request(running: Container) -> None:
    ended, said, complained = running.exec("sh", "-c", "read a; echo got $a; echo bad >&2; exit 3", given=b"this\n")
    assert (ended["code"], ended["signal"], said, complained) == (3, None, "got this\n", "bad\n")


def test_it_is_in_the_container_as_the_first_process_is(running: Container) -> None:
    links = "".join(f"readlink /proc/self/ns/{name}; readlink /proc/1/ns/{name};" for name in NAMESPACES)
    _, said, _ = running.exec("sh", "-c", f"{links} cat /proc/self/cgroup; echo; cat /proc/1/cgroup")
    namespaces, cgroups = said.splitlines()[: 2 * len(NAMESPACES)], said.splitlines()[2 * len(NAMESPACES) :]
    assert namespaces[::2] == namespaces[1::2]
    middle = cgroups.index("")
    assert cgroups[:middle] == cgroups[middle + 1 :]
    _, said, _ = running.exec("grep", "-E", "^(Seccomp|NoNewPrivs|Cap.*|Uid|Groups|SigIgn|SigBlk):", "/proc/self/status")
    for line in said.splitlines():
        name, _, value = line.partition(":")
        assert value.strip() == status_field(running.pid, name), line


def test_it_has_no_descriptor_but_its_streams(running: Container) -> None:
    _, said, _ = running.exec("sh", "-c", "for fd in /proc/self/fd/*; do echo ${fd##*/} $(readlink $fd); done")
    links = dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line)
    assert sorted(links) == ["0", "1", "2"]  # what the shell lists them by has gone by then
    assert all(target.startswith("pipe:") for target in links.values())


def test_its_user_directory_and_environment_are_the_requests(running: Container) -> None:
    user = {"uid": 0, "gid": 0, "username": "ann"}
    ended, said, _ = running.exec("sh", "-c", "id -u; id -g; pwd; echo $A $HOME", user=user, cwd="/tmp", env=["PATH=/bin", "A=b"])
    assert (ended["code"], said.split()) == (0, ["1000", "1001", "/tmp", "b", "/home/ann"])


def test_a_signal_for_it_alone(running: Container) -> None:
    shim = running.connect()
    null = os.open("/dev/null", os.O_RDWR)
    pid = shim.execute(running.process("sleep", "1000"), null, null, null)
    os.close(null)
    running.ask("kill", signal=signal.SIGTERM, exec=pid)
    ended = shim.answer()["exit"]
    assert (ended["code"], ended["signal"]) == (143, signal.SIGTERM)
    with pytest.raises(Refused, match="has ended"):
        running.ask("kill", signal=signal.SIGTERM, exec=pid)
    with pytest.raises(Refused, match="none of exec's"):
        running.ask("kill", signal=signal.SIGTERM, exec=[1])
    assert running.ask("state")["status"] == "running"
    shim.close()


def test_it_ends_with_the_container_and_its_caller_is_told(running: Container) -> None:
    shim = running.connect()
    null = os.open("/dev/null", os.O_RDWR)
    pid = shim.execute(running.process("sleep", "1000"), null, null, null)
    os.close(null)
    running.ask("delete", force=True)
    assert shim.answer()["exit"]["code"] == 137
    assert not alive(pid)
    shim.close()


def test_it_outlives_a_caller_that_goes_away(running: Container, until: Until) -> None:
    shim = running.connect()
    null = os.open("/dev/null", os.O_RDWR)
    pid = shim.execute(running.process("sh", "-c", "sleep 0.3; echo done > /done"), null, null, null)
    os.close(null)
    shim.close()
    until((running.upper / "done").exists)
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_many_at_once(running: Container) -> None:
    shims = [running.connect() for _ in range(6)]
    null = os.open("/dev/null", os.O_RDWR)
    for number, shim in enumerate(shims):
        shim.execute(running.process("sh", "-c", f"exit {number}"), null, null, null)
    os.close(null)
    assert [shim.answer()["exit"]["code"] for shim in shims] == list(range(6))
    for shim in shims:
        shim.close()


def test_a_terminal_is_sent_through_the_socket_that_came_along(running: Container) -> None:
    shim = running.connect()
    ours, theirs = socket.socketpair()
    shim.execute(running.process("sh", "-c", "tty; test -t 1 && echo yes", terminal=True), theirs.fileno())
    theirs.close()
    _, [master], _, _ = socket.recv_fds(ours, 64, 1)
    assert shim.answer()["exit"]["code"] == 0
    assert os.read(master, 4096).split() == [b"/dev/pts/0", b"yes"]
    os.close(master)
    ours.close()
    shim.close()


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ({"args": ["nosuch"]}, r"executable file not found in \$PATH"),
        ({"args": ["/etc"]}, "is a directory"),
        ({"args": []}, "must not be empty"),
        ({"args": ["true"], "cwd": "tmp"}, "must be an absolute path"),
        ({"args": ["true"], "user": {"uid": 0, "gid": 0, "username": "nobody-here"}}, "unable to find user"),
        ({"args": ["true"], "terminal": True}, "3 descriptors came with the request, not 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(running: Container, process: dict[str, object], words: str) -> None:
    shim = running.connect()
    null = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(Refused, match=words):
        shim.execute({**running.process("true"), **process}, null, null, null)
    os.close(null)
    assert shim.ask("state")["status"] == "running"
    shim.close()


def test_without_streams_or_with_too_few_it_is_refused(running: Container, until: Until) -> None:
    shim = running.connect()
    with pytest.raises(Refused, match="0 descriptors came"):
        shim.ask("exec", process=running.process("true"))
    null = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(Refused, match="2 descriptors came"):
        shim.execute(running.process("true"), null, null)
    before = len(os.listdir(f"/proc/{running.shim_pid}/fd"))
    assert running.exec("true")[0]["code"] == 0
    until(lambda: len(os.listdir(f"/proc/{running.shim_pid}/fd")) == before)
    os.close(null)
    shim.close()


def test_in_a_stopped_container_it_is_refused(box: Box) -> None:
    container = box.create(box.spec("true"))
    container.run()
    with pytest.raises(Refused, match="cannot exec in a container that is stopped"):
        container.exec("true")
