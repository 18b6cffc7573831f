"""Containers through both command lines, the real docker's and ours, against skiffd."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
from typing import Callable, Iterator

import pytest

from tests.contract.daemons import BIN, Daemon, wait_until
from tests.contract.traces import traces

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=["docker", "skiff"])
def cli(request: pytest.FixtureRequest, loaded: Daemon) -> Iterator[Cli]:
    """Either command line; afterwards no container is left."""
    chosen: Cli = getattr(loaded, request.param)
    yield chosen
    for container in loaded.client.call("GET", "/containers/json?all=1"):
        loaded.client.call("DELETE", f"/containers/{container['Id']}?force=1")


RUN = ("run", "--rm", "--network", "none")


def test_output_streams_and_status_come_through(cli: Cli) -> None:
    done = cli(*RUN, "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)


def test_much_output_comes_whole(cli: Cli) -> None:
    done = cli(*RUN, "busybox", "sh", "-c", "yes 0123456789 | head -n 200000")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0123456789\n" * 200000


def test_with_rm_nothing_is_left(cli: Cli, loaded: Daemon) -> None:
    assert cli(*RUN, "--name", "gone", "busybox", "true").returncode == 0
    assert loaded.client.call("GET", "/containers/json?all=1") == []
    assert cli(*RUN, "--name", "gone", "busybox", "true").returncode == 0


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("/etc/passwd", 126, "permission denied"),
        ("/nosuch", 127, "no such file"),
    ],
)
def test_what_cannot_be_executed_is_126_or_127(cli: Cli, loaded: Daemon, command: str, status: int, words: str) -> None:
    done = cli(*RUN, "busybox", command)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert loaded.client.call("GET", "/containers/json?all=1") == []


def test_bridge_networking_is_refused_with_the_cure(cli: Cli) -> None:
    done = cli("run", "--rm", "busybox", "true")
    assert done.returncode == 125
    assert "use --network none or --network host" in done.stderr


def test_options_reach_the_container(cli: Cli) -> None:
    script = "id -u; pwd; echo $A; hostname; cat /etc/hostname; touch /x 2>&1; cat /proc/self/status"
    options = (
        "-u",
        "sailor",
        "-w",
        "/tmp",
        "-e",
        "A=b c",
        "--hostname",
        "box",
        "--read-only",
        "--security-opt",
        "no-new-privileges",
    )
    done = cli(*RUN, *options, "busybox", "sh", "-c", script)
    lines = done.stdout.splitlines()
    assert lines[:5] == ["1000", "/tmp", "b c", "box", "box"], done.stderr
    assert "Read-only file system" in lines[5]
    assert "NoNewPrivs:\t1" in lines


@pytest.mark.parametrize(("options", "mode"), [((), "2"), (("--security-opt", "seccomp=unconfined"), "0")])
def test_calls_are_filtered_by_dockers_profile_unless_asked_otherwise(cli: Cli, options: tuple[str, ...], mode: str) -> None:
    script = "grep '^Seccomp:' /proc/self/status; unshare -n true 2>&1"
    done = cli(*RUN, *options, "busybox", "sh", "-c", script)
    assert done.stdout.split()[:2] == ["Seccomp:", mode]
    assert "Operation not permitted" in done.stdout


def test_a_memory_limit_is_enforced(cli: Cli) -> None:
    done = cli(*RUN, "-m", "8m", "--memory-swap", "8m", "busybox", "sh", "-c", "x=$(yes | head -c 100000000); echo survived")
    assert done.returncode == 137
    assert "survived" not in done.stdout


def test_the_host_network_is_the_host_s(cli: Cli) -> None:
    done = cli("run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net")
    assert done.stdout.strip() == os.readlink("/proc/self/ns/net")
    done = cli(*RUN, "busybox", "readlink", "/proc/self/ns/net")
    assert done.stdout.strip() != os.readlink("/proc/self/ns/net")


def test_detached_listed_logged_stopped_removed(cli: Cli, loaded: Daemon) -> None:
    done = cli("run", "-d", "--network", "none", "--name", "web", "busybox", "sh", "-c", "echo one; echo two >&2; exec sleep 1000")
    assert len(done.stdout.strip()) == 64, done.stderr
    assert "web" in cli("ps").stdout
    assert cli("ps", "-q", "--no-trunc").stdout == done.stdout
    follow = loaded.client.call("GET", "/containers/web/json")["State"]
    assert (follow["Status"], follow["Running"]) == ("running", True)
    assert follow["Pid"] > 0
    assert cli("logs", "--tail", "1", "web").stderr + cli("logs", "web").stdout in ("two\none\n", "one\n")
    assert cli("rm", "web").returncode == 1
    assert cli("stop", "-t", "0", "web").stdout == "web\n"
    assert "Exited (137)" in cli("ps", "-a").stdout
    inspected = json.loads(cli("inspect", "web").stdout)[0]
    assert inspected["State"]["ExitCode"] == 137
    assert cli("rm", "web").stdout == "web\n"
    assert cli("inspect", "web").returncode == 1


def test_logs_follow_to_the_end(cli: Cli) -> None:
    cli("run", "-d", "--network", "none", "--name", "slow", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    done = cli("logs", "-f", "-t", "slow")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["1", "2", "3"]
    assert all(line.split()[0].endswith("Z") for line in done.stdout.splitlines())


def test_kill_sends_the_signal(cli: Cli, loaded: Daemon) -> None:
    cli(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "killed",
        "busybox",
        "sh",
        "-c",
        "trap 'exit 9' USR1; while :; do sleep 0.1; done",
    )
    assert cli("kill", "-s", "USR1", "killed").returncode == 0
    assert loaded.client.call("POST", "/containers/killed/wait")["StatusCode"] == 9
    refused = cli("kill", "killed")
    assert refused.returncode == 1
    assert "is not running" in refused.stderr


def test_signals_go_through_to_the_container(loaded: Daemon) -> None:
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    environment = {**os.environ, "SKIFF_PYTHON": sys.executable}
    command = [str(BIN / "skiff"), "-H", loaded.host, *RUN, "busybox", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


def test_images_are_listed_and_cannot_go_while_used(cli: Cli, loaded: Daemon) -> None:
    listed = cli("images")
    assert listed.stdout.splitlines()[1].split()[:2] == ["busybox", "latest"]
    for pattern, count in (("busybox", 1), ("busy*:latest", 1), ("nosuch", 0)):
        assert len(loaded.docker("images", "-q", pattern).stdout.split()) == count
    cli("run", "-d", "--network", "none", "--name", "user", "busybox", "sleep", "1000")
    refused = cli("rmi", "busybox")
    assert refused.returncode == 1
    assert "conflict: unable to remove repository reference" in refused.stderr


def test_a_write_leaves_the_image_untouched(cli: Cli) -> None:
    assert cli(*RUN, "busybox", "sh", "-c", "echo x > /etc/passwd; echo y > /new").returncode == 0
    done = cli(*RUN, "busybox", "sh", "-c", "cat /etc/passwd; ls /")
    assert "sailor" in done.stdout
    assert "new" not in done.stdout.split()


def test_a_container_that_is_removed_lets_those_go_who_wait_for_it(loaded: Daemon) -> None:
    identity = loaded.docker("create", "--network", "none", "busybox", "true").stdout.strip()
    wait = loaded.client.open("POST", f"/containers/{identity}/wait?condition=next-exit")
    attached = loaded.client.open("POST", f"/containers/{identity}/attach?stdout=1&stream=1", upgrade="tcp")
    loaded.client.call("DELETE", f"/containers/{identity}")
    assert json.loads(wait.text())["StatusCode"] == 0
    assert attached.text() == ""
    wait.close()
    attached.close()


def test_a_name_can_be_used_once(cli: Cli) -> None:
    cli("run", "-d", "--network", "none", "--name", "twin", "busybox", "sleep", "1000")
    second = cli("run", "-d", "--network", "none", "--name", "twin", "busybox", "sleep", "1000")
    assert second.returncode == 125
    assert 'The container name "/twin" is already in use' in second.stderr


def test_input_reaches_the_container_and_its_end_too(cli: Cli) -> None:
    text = "line\n" * 500_000
    done = cli(*RUN, "-i", "busybox", "cat", input=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text


def test_many_at_once_are_kept_apart(loaded: Daemon) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(loaded.skiff, *RUN, "busybox", "sh", "-c", f"echo {number}; exit {number}") for number in range(16)]
        results = [future.result() for future in runs]
    assert [(done.stdout, done.returncode) for done in results] == [(f"{number}\n", number) for number in range(16)]
    assert loaded.client.call("GET", "/containers/json?all=1") == []


def test_a_log_that_is_kept_nowhere_cannot_be_read(cli: Cli) -> None:
    cli("run", "-d", "--network", "none", "--name", "mute", "--log-driver", "none", "busybox", "echo", "x")
    done = cli("logs", "mute")
    assert done.returncode == 1
    assert "configured logging driver does not support reading" in done.stderr


def test_logs_rotate_and_read_on(cli: Cli, loaded: Daemon) -> None:
    options = ("--log-opt", "max-size=20k", "--log-opt", "max-file=3")
    script = "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"
    cli("run", "-d", "--network", "none", "--name", "chatty", *options, "busybox", "sh", "-c", script)
    loaded.client.call("POST", "/containers/chatty/wait")
    lines = cli("logs", "chatty").stdout.splitlines()
    assert lines[-1] == "line 999"
    assert 200 < len(lines) < 1000
    assert [int(line.split()[1]) for line in lines] == list(range(1000 - len(lines), 1000))


def test_nothing_is_left_of_containers_that_are_gone(loaded: Daemon) -> None:
    before = traces(loaded)
    for number in range(3):
        loaded.skiff(*RUN, "-m", "32m", "busybox", "true")
        loaded.skiff(*RUN, "busybox", "nosuch")
        loaded.skiff("run", "-d", "--network", "none", "--name", f"left-{number}", "busybox", "sleep", "1000")
        loaded.skiff("rm", "-f", f"left-{number}")
    wait_until(lambda: traces(loaded) == before)


def test_clients_that_leave_a_silent_container_do_not_pile_up(loaded: Daemon) -> None:
    loaded.client.call("POST", "/containers/create?name=silent", {**QUIET, "Cmd": ["sleep", "1000"]})
    for moment in ("before the start", "while it runs"):
        descriptors = open_files(loaded)
        for half in (False, True) * 5:
            leave(loaded, half)
        wait_until(lambda: open_files(loaded) <= descriptors)  # noqa: B023  # called at once
        if moment == "before the start":
            loaded.client.call("POST", "/containers/silent/start")
    loaded.client.call("DELETE", "/containers/silent?force=1")


QUIET = {"Image": "busybox", "HostConfig": {"NetworkMode": "none"}}


def open_files(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def leave(daemon: Daemon, half: bool) -> None:
    """Attach, perhaps close the half that sends, and go."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(daemon.socket))
        sock.sendall(
            b"POST /containers/silent/attach?stream=1&stdout=1 HTTP/1.1\r\n"
            b"Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        )
        assert sock.recv(12) == b"HTTP/1.1 101"
        if half:
            sock.shutdown(socket.SHUT_WR)
