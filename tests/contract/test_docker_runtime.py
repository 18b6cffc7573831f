"""Containers that dockerd runs by skiff-oci, as it is told to by --add-runtime."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.contract.callers import Caller, Containerd, limits_of, nothing_left, program, start_dockerd
from tests.contract.conftest import needs_root
from tests.contract.daemons import Daemon, wait_until

RUN = ("run", "--runtime", "skiff", "--network", "none")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, short_directory: str) -> Iterator[Daemon]:
    """A dockerd whose containers outlive it."""
    needs_root()
    containerd = Containerd(tmp_path_factory.mktemp("containerd"), short_directory)
    directory = tmp_path_factory.mktemp("dockerd")
    try:
        daemon = start_dockerd(directory, containerd, "--live-restore", "--experimental")
        try:
            yield daemon
        finally:
            daemon.kill(signal.SIGTERM)
            # Its data directory, a mount of its own, is not taken away by a daemon whose containers live on.
            subprocess.run(["umount", str(directory / "data")], check=False)
    finally:
        containerd.kill(signal.SIGTERM)
    nothing_left(short_directory, str(directory))


@pytest.fixture(scope="module")
def docker(engine: Daemon, busybox_archive: Path) -> Iterator[Caller]:
    """The docker CLI; in the end no container is left."""
    caller = Caller(program("docker", "docker.io"), "-H", engine.host)
    caller.environment["DOCKER_CONFIG"] = "/nonexistent"
    caller("load", "-i", str(busybox_archive))
    yield caller
    left = caller.said("ps", "-aq").split()
    if left:
        caller("rm", "-f", *left)


def inspect(docker: Caller, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker.said("inspect", name))[0]
    return found


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sh", "-c", "echo out; echo err >&2; exit 7"], 7, "err"),
        (["nosuch"], 127, '"nosuch": executable file not found in $PATH'),
        (["/etc/passwd"], 126, '"/etc/passwd": permission denied'),
    ],
)
def test_exit_status_and_output(docker: Caller, arguments: list[str], code: int, words: str) -> None:
    done = docker(*RUN, "--rm", "busybox", *arguments, code=code)
    assert words in done.stderr
    assert done.stdout == ("out\n" if code == 7 else "")


def test_a_terminal_and_an_attached_standard_input(docker: Caller) -> None:
    code, shown = docker.on_terminal(*RUN, "--rm", "-t", "busybox", "sh", "-c", "busybox tty; exit 3")
    assert (code, shown.split()) == (3, ["/dev/pts/0"])
    assert docker.said(*RUN, "--rm", "-i", "busybox", "cat", told="through\n") == "through"


def test_the_life_of_a_container(docker: Caller) -> None:
    """Limits, exec in every way, pause, stats, update, stop, start, kill; and what the log and the record say in the end."""
    script = 'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.1; done'
    limits = ("--memory", "64m", "--cpus", "0.5", "--pids-limit", "30", "--ulimit", "nofile=100:200")
    docker(*RUN, "-d", "--name", "life", *limits, "busybox", "sh", "-c", script)
    _execs(docker)
    pid = inspect(docker, "life")["State"]["Pid"]
    assert "pids:/docker/" in Path(f"/proc/{pid}/cgroup").read_text() or "0::/docker/" in Path(f"/proc/{pid}/cgroup").read_text()
    docker("pause", "life")
    assert inspect(docker, "life")["State"]["Status"] == "paused"
    docker("unpause", "life")
    assert "while :;" in docker.said("top", "life")
    assert re.search(r"/ 64MiB [1-9]", docker.said("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "life"))
    docker("update", "--memory", "48m", "--memory-swap", "96m", "--pids-limit", "25", "--cpu-shares", "700", "life")
    assert limits_of(pid) == {"memory": "50331648", "pids": "25"}
    docker("stop", "-t", "10", "life")
    assert docker.said("logs", "life") == "up\ngot"
    assert inspect(docker, "life")["State"]["ExitCode"] == 3
    docker("start", "life")
    docker("kill", "-s", "KILL", "life")
    assert docker.said("wait", "life") == "137"
    docker("rm", "life")


def _execs(docker: Caller) -> None:
    assert docker("exec", "life", "sh", "-c", "ulimit -Hn; exit 5", code=5).stdout == "200\n"
    assert docker.said("exec", "-i", "life", "cat", told="in\n") == "in"
    seen = docker.said("exec", "-u", "1000:50", "-w", "/tmp", "-e", "A=b", "life", "sh", "-c", "id -u; id -g; pwd; echo $A")
    assert seen.split() == ["1000", "50", "/tmp", "b"]
    assert docker.on_terminal("exec", "-t", "life", "busybox", "tty")[1].startswith("/dev/pts/")
    docker("exec", "-d", "life", "sh", "-c", ": > /tmp/detached")
    wait_until(lambda: docker.said("exec", "life", "ls", "/tmp") == "detached")
    assert 'exec: "nosuch": executable file not found in $PATH' in docker("exec", "life", "nosuch", code=126).stdout


def test_a_health_check_runs_by_exec(docker: Caller) -> None:
    check = ("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1")
    docker(*RUN, "-d", "--name", "patient", *check, "busybox", "sleep", "1000")
    wait_until(lambda: inspect(docker, "patient")["State"]["Health"]["Status"] == "unhealthy")
    docker("exec", "patient", "sh", "-c", ": > /tmp/well")
    wait_until(lambda: inspect(docker, "patient")["State"]["Health"]["Status"] == "healthy")
    docker("rm", "-f", "patient")


def test_who_runs_out_of_memory_is_told(docker: Caller) -> None:
    memory = ("--memory", "16m", "--memory-swap", "16m")
    script = "sleep 1; busybox head -c 64m /dev/zero | busybox tail"
    docker(*RUN, "--name", "hungry", *memory, "busybox", "sh", "-c", script, code=137)
    wait_until(lambda: bool(inspect(docker, "hungry")["State"]["OOMKilled"]))
    docker("rm", "hungry")


def test_a_confined_container(docker: Caller) -> None:
    """User, capabilities, filter, read-only root, limits of the kernel's own, devices."""
    given = ("--user", "1000:50", "--cap-drop", "all", "--read-only", "--tmpfs", "/tmp", "--sysctl", "net.ipv4.ip_forward=1")
    flags = ("--security-opt", "no-new-privileges", "--oom-score-adj", "100", "--hostname", "cell", "--shm-size", "1m")
    script = "hostname; id -u; busybox grep -E 'CapBnd|NoNew|Seccomp:' /proc/self/status; cat /proc/self/oom_score_adj; : > /x"
    done = docker(*RUN, "--rm", *given, *flags, "busybox", "sh", "-c", script, code=1)
    assert done.stdout.split() == ["cell", "1000", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2", "100"]
    assert "Read-only file system" in done.stderr


def test_namespaces_of_another_container(docker: Caller) -> None:
    docker(*RUN, "-d", "--name", "host", "--ipc", "shareable", "busybox", "sleep", "1000")
    joined = ("--network", "container:host", "--pid", "container:host", "--ipc", "container:host")
    script = "for name in pid net ipc; do readlink /proc/self/ns/$name; done"
    seen = docker.said("run", "--rm", "--runtime", "skiff", *joined, "busybox", "sh", "-c", script).split()
    pid = inspect(docker, "host")["State"]["Pid"]
    assert seen == [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("pid", "net", "ipc")]
    docker("rm", "-f", "host")


def test_a_checkpoint_is_refused_by_name(docker: Caller) -> None:
    docker(*RUN, "-d", "--name", "still", "busybox", "sleep", "1000")
    done = subprocess.run(
        [*docker.command, "checkpoint", "create", "still", "one"], capture_output=True, text=True, env=docker.environment
    )
    assert done.returncode != 0
    assert "checkpoint is not supported by skiff-oci" in done.stderr
    assert inspect(docker, "still")["State"]["Running"]
    docker("rm", "-f", "still")


def test_a_container_outlives_a_killed_daemon(docker: Caller, engine: Daemon) -> None:
    docker(*RUN, "-d", "--name", "survivor", "busybox", "sh", "-c", "i=0; while [ $i -lt 600 ]; do i=$((i+1)); sleep 0.1; done")
    pid = inspect(docker, "survivor")["State"]["Pid"]
    engine.kill(signal.SIGKILL)
    os.kill(pid, 0)
    engine.start()
    state = inspect(docker, "survivor")["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    assert docker.said("exec", "survivor", "echo", "there") == "there"
    docker("rm", "-f", "survivor")
