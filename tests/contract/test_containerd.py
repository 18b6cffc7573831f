"""Containers that containerd runs by skiff-oci: its shim for runc, with our runtime as the program that it calls."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Iterator

import pytest

from tests.contract.callers import RUNTIME, Caller, Containerd, limits_of, nothing_left
from tests.contract.conftest import needs_root
from tests.contract.daemons import wait_until

IMAGE = "docker.io/library/busybox:latest"
RUN = ("run", "--runtime", "io.containerd.runc.v2", "--runc-binary", RUNTIME, "--snapshotter", "native")


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory, short_directory: str) -> Iterator[Containerd]:
    needs_root()
    directory = tmp_path_factory.mktemp("containerd")
    made = Containerd(directory, short_directory)
    yield made
    made.kill(signal.SIGTERM)
    nothing_left(short_directory, str(directory))


@pytest.fixture(scope="module")
def ctr(containerd: Containerd, busybox_archive: Path) -> Caller:
    caller = Caller(containerd.client, "--address", containerd.socket)
    caller("images", "import", "--snapshotter", "native", str(busybox_archive))
    return caller


@pytest.fixture
def task(ctr: Caller, request: pytest.FixtureRequest) -> Iterator[str]:
    """A container that sleeps."""
    name = f"t{abs(hash(request.node.name))}"
    ctr(*RUN, "-d", IMAGE, name, "sleep", "1000")
    yield name
    ctr("tasks", "delete", "--force", name)
    ctr("containers", "delete", name)


def status(ctr: Caller, name: str) -> str:
    rows = [line.split() for line in ctr.said("tasks", "list").splitlines()]
    return next((row[2] for row in rows if row[0] == name), "")


def process(ctr: Caller, name: str) -> int:
    rows = [line.split() for line in ctr.said("tasks", "list").splitlines()]
    return next(int(row[1]) for row in rows if row[0] == name)


def test_exit_status_and_output(ctr: Caller) -> None:
    limits = ("--memory-limit", "33554432", "--cpus", "0.5")
    done = ctr(*RUN, "--rm", *limits, IMAGE, "ends", "sh", "-c", "echo out; mount; exit 6", code=6)
    assert done.stdout.startswith("out\n")
    assert "proc on /proc type proc (rw,nosuid,nodev,noexec,relatime)" in done.stdout


def test_limits(ctr: Caller) -> None:
    ctr(*RUN, "-d", "--memory-limit", "33554432", IMAGE, "bound", "sleep", "1000")
    assert limits_of(process(ctr, "bound"))["memory"] == "33554432"
    ctr("tasks", "delete", "--force", "bound")
    ctr("containers", "delete", "bound")


def test_a_program_that_is_not_there(ctr: Caller) -> None:
    done = ctr(*RUN, "--rm", IMAGE, "absent", "nosuch", code=1)
    assert 'exec: "nosuch": executable file not found in $PATH' in done.stderr
    assert ctr.said("containers", "list", "-q") == ""


def test_a_terminal(ctr: Caller) -> None:
    code, shown = ctr.on_terminal(*RUN, "--rm", "-t", IMAGE, "typed", "sh", "-c", "sleep 1; busybox tty; exit 3")
    assert (code, "/dev/pts/0" in shown) == (3, True)


def test_exec(ctr: Caller, task: str) -> None:
    done = ctr("tasks", "exec", "--exec-id", "one", "--cwd", "/tmp", task, "sh", "-c", "pwd; exit 5", code=5)
    assert done.stdout == "/tmp\n"
    code, shown = ctr.on_terminal("tasks", "exec", "-t", "--exec-id", "two", task, "sh", "-c", "sleep 1; busybox tty")
    assert (code, "/dev/pts/0" in shown) == (0, True)
    refused = ctr("tasks", "exec", "--exec-id", "three", task, "nosuch", code=1)
    assert 'exec: "nosuch": executable file not found in $PATH' in refused.stderr


def test_pause_metrics_and_processes(ctr: Caller, task: str) -> None:
    ctr("tasks", "pause", task)
    assert status(ctr, task) == "PAUSED"
    ctr("tasks", "resume", task)
    assert status(ctr, task) == "RUNNING"
    assert "pids.current" in ctr.said("tasks", "metrics", task)
    assert str(process(ctr, task)) in ctr.said("tasks", "ps", task)


def test_a_signal_ends_it(ctr: Caller) -> None:
    ctr(*RUN, "-d", IMAGE, "heeds", "sh", "-c", 'trap "exit 9" TERM; while :; do sleep 0.1; done')
    ctr("tasks", "kill", "-s", "TERM", "heeds")
    wait_until(lambda: status(ctr, "heeds") == "STOPPED")
    assert "non-zero exit code 9" in ctr("tasks", "delete", "heeds").stderr
    ctr("containers", "delete", "heeds")


def test_a_checkpoint_is_refused_by_name(ctr: Caller, task: str) -> None:
    assert "checkpoint is not supported by skiff-oci" in ctr("tasks", "checkpoint", task, code=1).stderr
    assert status(ctr, task) == "RUNNING"


def test_a_container_outlives_a_killed_containerd(ctr: Caller, containerd: Containerd, task: str) -> None:
    pid = process(ctr, task)
    containerd.kill(signal.SIGKILL)
    os.kill(pid, 0)
    containerd.start()
    assert (status(ctr, task), process(ctr, task)) == ("RUNNING", pid)
    assert ctr.said("tasks", "exec", "--exec-id", "after", task, "echo", "there") == "there"
