"""A real Dask scheduler and its workers, processes on the loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional

ROOT = Path(__file__).resolve().parents[1]
DASK = str(Path(sys.executable).with_name("dask"))


@dataclass
class Cluster:
    """`address` is HOST:PORT; workers are single processes without a nanny, so that a killed one stays dead."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: List[subprocess.Popen[bytes]]
    logs: Path

    @property
    def said(self) -> str:
        """All that scheduler and workers have logged."""
        return "".join(path.read_text() for path in self.logs.glob("*.log"))


@contextlib.contextmanager
def cluster(directory: Path, workers: int = 2, tls: Optional[Mapping[str, str]] = None) -> Iterator[Cluster]:
    """Starts it, and ends it whatever state it is in. `tls` is Dask's environment for it."""
    file = directory / "scheduler.json"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SKIFF_", "SSH_"))}
    env = {**clean, "PYTHONPATH": str(ROOT), "HOME": str(directory), "DASK_LOGGING__DISTRIBUTED": "warning", **(tls or {})}
    common = ["--no-dashboard", "--scheduler-file", str(file)]
    started: List[subprocess.Popen[bytes]] = []

    def start(name: str, *words: str) -> subprocess.Popen[bytes]:
        with (directory / f"{name}.log").open("wb") as log:
            argv = [DASK, *words, *common]
            started.append(subprocess.Popen(argv, env=env, cwd=directory, stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    try:
        scheduler = start(
            "scheduler",
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--dashboard-address",
            "127.0.0.1:0",
            *(("--protocol", "tls") if tls else ()),
        )
        address = awaited(file, scheduler)
        one = ("worker", "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1")
        made = [start(f"worker{number}", *one, "--local-directory", str(directory / f"{number}")) for number in range(workers)]
        yield Cluster(address, scheduler, made, directory)
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def awaited(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """The address in the scheduler's file, once it is there."""
    while True:
        assert scheduler.poll() is None, "the scheduler ended"
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            found: Dict[str, str] = json.loads(file.read_text())
            return found["address"].partition("://")[2]
        time.sleep(0.05)
