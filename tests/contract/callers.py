"""Engines that run their containers by skiff-oci, as commands with or without a terminal, on roots of their own."""

from __future__ import annotations

import contextlib
import glob
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.daemons import BIN, Daemon, spawn, wait_until, wait_until_answers
from tests.contract.traces import cmdlines

RUNTIME = str(BIN / "skiff-oci")
SECONDS = 60.0
SBIN = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    found = shutil.which(name, path=SBIN)
    if found is None:
        pytest.skip(f"{name} is not here: install {package}")
    return found


class Caller:
    """A command line up to its subcommand."""

    def __init__(self, *command: str) -> None:
        self.command = command
        self.directory: Path | None = None
        self.environment = {**os.environ, "SKIFF_PYTHON": sys.executable}

    def __call__(self, *arguments: str, code: int = 0, told: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end, which must be `code`; `told` is its standard input."""
        done = subprocess.run(
            [*self.command, *arguments],
            capture_output=True,
            text=True,
            input=told,
            timeout=SECONDS,
            env=self.environment,
            cwd=self.directory,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def said(self, *arguments: str, told: str = "") -> str:
        """Its standard output, without the last newline."""
        return self(*arguments, told=told).stdout.rstrip("\n")

    def begun(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run it on, its output thrown away."""
        return subprocess.Popen(
            [*self.command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment
        )

    def on_terminal(self, *arguments: str) -> tuple[int, str]:
        """Exit status and what it shows on a terminal that is its standard streams."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*self.command, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment)
        os.close(theirs)
        shown = b""
        try:
            while part := _read(ours):
                shown += part
        finally:
            os.close(ours)
        return process.wait(SECONDS), shown.decode()


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # EIO: nobody has the other end any more
        return b""


class Containerd:
    """A containerd of our own, whose Kubernetes plugin knows our runtime by the name skiff."""

    def __init__(self, directory: Path, state: str) -> None:
        self.program = program("containerd", "containerd")
        self.client = program("ctr", "containerd")
        self.log, self.config, self.socket = directory / "log", directory / "config.toml", f"{state}/containerd.sock"
        (directory / "cni").mkdir()
        self.config.write_text(
            CONFIG.format(root=directory / "root", state=state, socket=self.socket, runtime=RUNTIME, cni=directory / "cni")
        )
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same roots; it answers then."""
        self.process = spawn([self.program, "--config", str(self.config)], self.log)
        look = [self.client, "--address", self.socket, "--connect-timeout", "1s", "version"]
        wait_until(lambda: subprocess.run(look, capture_output=True).returncode == 0)

    def kill(self, number: int) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(SECONDS)


CONFIG = """\
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.skiff]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.skiff.options]
        BinaryName = "{runtime}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{cni}"
"""


def start_dockerd(directory: Path, containerd: Containerd, *options: str) -> Daemon:
    """Docker's daemon with our runtime beside its own; nothing of the host's network is touched."""
    sock = directory / "s.sock"
    roots = ["--data-root", str(directory / "data"), "--exec-root", str(directory / "exec"), "--pidfile", str(directory / "pid")]
    aloof = ["--bridge=none", "--iptables=false", "--ip-forward=false"]
    arguments = [program("dockerd", "docker.io"), "--containerd", containerd.socket, *roots, "-H", f"unix://{sock}"]
    arguments += [*aloof, "--add-runtime", f"skiff={RUNTIME}", *options]
    daemon = Daemon(sock, arguments, directory / "log", spawn(arguments, directory / "log"))
    wait_until_answers(daemon)
    return daemon


def limits_of(pid: int) -> dict[str, str]:
    """What the kernel holds a process to."""
    found = {}
    for name, files in {"memory": ("memory.limit_in_bytes", "memory.max"), "pids": ("pids.max",)}.items():
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for file in files:
                at = Path(f"/sys/fs/cgroup/{controllers}{path}/{file}")
                if controllers in ("", name) and at.exists():
                    found[name] = at.read_text().strip()
    return found


def leftovers(*directories: str) -> list[str]:
    """Mounts, processes and the runtime's state that have to do with these directories."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line for line in file if any(directory in line for directory in directories)]
    processes = [line.replace(b"\0", b" ").decode() for line in cmdlines() if any(d.encode() in line for d in directories)]
    states = [found for directory in directories for found in glob.glob(f"{directory}/**/state.json", recursive=True)]
    return [*mounts, *processes, *states]


def nothing_left(*directories: str) -> None:
    """Fails, with what is there, unless it goes in time."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not leftovers(*directories))
    left = leftovers(*directories)
    if left:
        pytest.fail(f"left behind: {left}")
