"""A daemon under test, ours or Docker's: started, asked by either client, killed, started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from skiff.client import http

REPOSITORY = Path(__file__).parents[2]
BIN = REPOSITORY / "runtime" / "bin"
DOCKER = shutil.which("docker", path="/usr/local/bin:/usr/bin:/bin")
START_SECONDS = 30.0


@dataclass
class Daemon:
    """One engine that answers on a socket."""

    socket: Path
    arguments: list[str]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """The address, as clients write it."""
        return f"unix://{self.socket}"

    @property
    def client(self) -> http.Client:
        """Our own client to it."""
        return http.Client(self.host)

    def docker(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the real docker CLI against it."""
        if DOCKER is None:
            pytest.skip("the docker CLI is not here: install docker.io")
        return run([DOCKER, "-H", self.host, *arguments], **options)

    def skiff(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run our CLI against it."""
        return run([str(BIN / "skiff"), "-H", self.host, *arguments], **options)

    def kill(self, number: int) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(START_SECONDS)

    def start(self) -> None:
        """Start it again, on the same roots."""
        self.process = spawn(self.arguments, self.log)
        wait_until_answers(self)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output as text."""
    environment = {**os.environ, "SKIFF_PYTHON": sys.executable, "DOCKER_CONFIG": "/nonexistent"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, **options)


def spawn(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a daemon whose output goes to a file."""
    with log.open("ab") as output:
        environment = {**os.environ, "SKIFF_PYTHON": sys.executable}
        return subprocess.Popen(arguments, stdout=output, stderr=output, env=environment, start_new_session=True)


def wait_until_answers(daemon: Daemon) -> None:
    """Until it answers a ping; what it wrote, if it ends instead."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(daemon):
        if daemon.process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{daemon.arguments[0]} did not start:\n{daemon.log.read_text()}")
        time.sleep(0.05)


def answers(daemon: Daemon) -> bool:
    """Whether somebody answers at its socket."""
    try:
        daemon.client.open("GET", "/_ping").close()
    except http.NoDaemon:
        return False
    return True


def wait_until(holds: Callable[[], bool]) -> None:
    """Until a condition holds; a failure if it does not come to."""
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
