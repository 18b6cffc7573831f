"""What a provisioning run imports before it dials the first host: SSH and templates come while that connection is on its way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import List, Set

import pytest

ROOT = Path(__file__).resolve().parents[3]
LATER = {"cryptography", "distributed", "fabric", "jinja2", "paramiko", "pyrage", "pyroute2", "rich"}
# The first dial tells what is imported by then, and ends the process.
WATCH = """
import json, os, sys
{before}
from fleet.run import connector
def told(*_):
    os.write(1, json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})).encode())
    os._exit(0)
connector.dial.ahead = told
from invoke.main import program
program.run()
"""


def imported(tmp_path: Path, before: str = "") -> Set[str]:
    (tmp_path / "hosts.yml").write_text("hosts: {box: {address: 127.0.0.1}}\n")
    argv = [
        "--search-root",
        str(ROOT),
        "provision",
        "--hosts",
        "box",
        "--inventory",
        str(tmp_path / "hosts.yml"),
        "--roles",
        "kernel",
    ]
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    code = WATCH.format(before=before)
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, env=environment, timeout=60)
    found: List[str] = json.loads(done.stdout or "null") or pytest.fail(done.stderr)
    return set(found)


def test_nothing_slow_is_imported_before_the_first_host_is_dialled(tmp_path: Path) -> None:
    assert imported(tmp_path) & LATER == set()


def test_the_detector_works(tmp_path: Path) -> None:
    assert imported(tmp_path, "import jinja2") & LATER == {"jinja2"}
