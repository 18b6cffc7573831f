"""Containers that podman runs by skiff-oci, under its monitor conmon."""

from __future__ import annotations

import glob
import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.contract.callers import RUNTIME, Caller, nothing_left, program
from tests.contract.conftest import needs_root
from tests.contract.daemons import wait_until

# Limits within those of whoever runs the tests: podman's own are higher than a machine without CAP_SYS_RESOURCE may grant.
PARENT = f"/skiff-podman-{os.getpid()}"
OPTIONS = ("--network", "none", "--cgroup-parent", PARENT, "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
RUN = ("run", *OPTIONS)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory, short_directory: str, busybox_archive: Path) -> Iterator[Caller]:
    needs_root()
    program("conmon", "conmon")
    directory = tmp_path_factory.mktemp("podman")
    roots = ("--root", f"{directory}/root", "--runroot", f"{short_directory}/run", "--tmpdir", f"{short_directory}/tmp")
    plain = ("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
    # A program of its own, for podman's own clean-up is not told of --runtime-flag.
    runtime = directory / "skiff-oci"
    runtime.write_text(f'#!/bin/sh\nexec {RUNTIME} --root {short_directory}/oci "$@"\n')
    runtime.chmod(0o755)
    (directory / "containers.conf").write_text(f'[engine]\nruntime = "skiff"\n\n[engine.runtimes]\nskiff = ["{runtime}"]\n')
    caller = Caller(program("podman", "podman"), *roots, *plain)
    caller.environment["CONTAINERS_CONF"] = str(directory / "containers.conf")
    caller.directory = directory  # where conmon writes of an end for want of memory
    caller("load", "-i", str(busybox_archive))
    yield caller
    caller("rm", "--all", "--force", "--time", "0")
    nothing_left(short_directory, str(directory))
    left = [path for path in glob.glob(f"/sys/fs/cgroup/**{PARENT}/**/", recursive=True) if os.path.exists(path + "cgroup.procs")]
    for path in sorted(left, reverse=True):
        os.rmdir(path)
    assert {os.path.basename(path.rstrip("/")) for path in left} <= {PARENT[1:], "conmon"}


def inspect(podman: Caller, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(podman.said("inspect", name))[0]
    return found


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sh", "-c", "echo out; echo err >&2; exit 7"], 7, "err"),
        (["nosuch"], 127, '"nosuch": executable file not found in $PATH'),
        (["/etc/passwd"], 126, '"/etc/passwd": permission denied'),
    ],
)
def test_exit_status_and_output(podman: Caller, arguments: list[str], code: int, words: str) -> None:
    done = podman(*RUN, "--rm", "busybox", *arguments, code=code)
    assert words in done.stderr
    assert done.stdout == ("out\n" if code == 7 else "")


def test_a_terminal_and_an_attached_standard_input(podman: Caller) -> None:
    code, shown = podman.on_terminal(*RUN, "--rm", "-t", "busybox", "sh", "-c", "busybox tty; exit 3")
    assert (code, shown.split()) == (3, ["/dev/pts/0"])
    assert podman.said(*RUN, "--rm", "-i", "busybox", "cat", told="through\n") == "through"


def test_the_life_of_a_container(podman: Caller) -> None:
    """Limits, exec, pause, stats, stop, start, kill; and what the log and the record say in the end."""
    script = 'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.1; done'
    limits = ("--memory", "64m", "--cpus", "0.5", "--pids-limit", "30")
    podman(*RUN, "-d", "--name", "life", *limits, "busybox", "sh", "-c", script)
    assert podman("exec", "life", "sh", "-c", "ulimit -Hn; exit 5", code=5).stdout == "1024\n"
    assert podman.said("exec", "-i", "life", "cat", told="in\n") == "in"
    seen = podman.said("exec", "-u", "1000:50", "-w", "/tmp", "-e", "A=b", "life", "sh", "-c", "id -u; id -g; pwd; echo $A")
    assert seen.split() == ["1000", "50", "/tmp", "b"]
    assert podman.on_terminal("exec", "-t", "life", "busybox", "tty")[1].startswith("/dev/pts/")
    assert 'exec: "nosuch": executable file not found in $PATH' in podman("exec", "life", "nosuch", code=127).stderr
    podman("pause", "life")
    assert inspect(podman, "life")["State"]["Status"] == "paused"
    podman("unpause", "life")
    assert "while :;" in podman.said("top", "life")
    assert "67.11MB" in podman.said("stats", "--no-stream", "--format", "{{.MemUsage}}", "life")
    podman("stop", "-t", "10", "life")
    assert podman.said("logs", "life") == "up\ngot"
    assert inspect(podman, "life")["State"]["ExitCode"] == 3
    podman("start", "life")
    podman("kill", "-s", "KILL", "life")
    assert podman.said("wait", "life") == "137"
    podman("rm", "life")


def test_who_runs_out_of_memory_is_killed(podman: Caller) -> None:
    memory = ("--memory", "16m", "--memory-swap", "16m")
    podman(*RUN, "--rm", *memory, "busybox", "sh", "-c", "busybox head -c 64m /dev/zero | busybox tail", code=137)


def test_a_confined_container(podman: Caller) -> None:
    given = ("--user", "1000:50", "--cap-drop", "all", "--read-only", "--device", "/dev/fuse", "--hostname", "cell")
    script = "hostname; id -u; busybox grep -E 'CapBnd|Seccomp:' /proc/self/status; test -c /dev/fuse && : > /x"
    done = podman(*RUN, "--rm", *given, "busybox", "sh", "-c", script, code=1)
    assert done.stdout.split() == ["cell", "1000", "CapBnd:", "0000000000000000", "Seccomp:", "2"]
    assert "Read-only file system" in done.stderr


def test_a_user_namespace_and_a_privileged_container(podman: Caller) -> None:
    seen = podman.said(*RUN, "--rm", "--uidmap", "0:100000:65536", "busybox", "cat", "/proc/self/uid_map")
    assert seen.split() == ["0", "100000", "65536"]
    assert "Seccomp:\t0" in podman.said(*RUN, "--rm", "--privileged", "busybox", "cat", "/proc/self/status")


def test_a_container_outlives_a_killed_podman(podman: Caller) -> None:
    caller = podman.begun(*RUN, "--name", "left", "busybox", "sleep", "1000")
    wait_until(lambda: "left" in podman.said("ps", "--format", "{{.Names}}"))
    caller.kill()
    caller.wait()
    assert podman.said("exec", "left", "echo", "there") == "there"
    podman("rm", "--force", "--time", "0", "left")
