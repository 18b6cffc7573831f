"""What a provisioning run imports before it dials the first host: SSH and templates come while that connection is on its way.

And what it never imports: a parser of mail, for paramiko's version, and a second YAML.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import List, Set

import pytest

ROOT = Path(__file__).resolve().parents[3]
NEVER = {"asyncio", "email", "importlib.metadata", "invoke.vendor.yaml", "unittest"}
LATER = {"cryptography", "distributed", "fabric", "jinja2", "paramiko", "pyrage", "pyroute2", "rich"}
# The first dial, or the import of SSH that follows it, tells what is imported by then, and ends the process.
WATCH = """
import json, os, sys, threading
from fleet import start
start.load()
{before}
from fleet.run import connector
once = threading.Lock()
def told(*_):
    once.acquire()  # a second thread waits here until the process has ended
    os.write(1, json.dumps(sorted(sys.modules)).encode())
    os._exit(0)
connector.dial.ahead = told
{after}
start.main()
"""
AT_SSH = """
connector.dial.ahead = lambda *_: None
class Watched(connector.Connector):
    def _import(self):
        super()._import()
        told()
from fleet.run import task
task.Connector = Watched
"""


def imported(tmp_path: Path, before: str = "", after: str = "") -> Set[str]:
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
    code = WATCH.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, env=environment, timeout=60)
    found: List[str] = json.loads(done.stdout or "null") or pytest.fail(done.stderr)
    return set(found)


def test_nothing_slow_is_imported_before_the_first_host_is_dialled(tmp_path: Path) -> None:
    found = imported(tmp_path)
    assert {name.partition(".")[0] for name in found} & LATER == set()
    assert found & NEVER == set()


def test_ssh_is_imported_without_what_it_has_no_use_for(tmp_path: Path) -> None:
    found = imported(tmp_path, after=AT_SSH)
    assert {"paramiko", "fleet.transport.ssh"} <= found
    assert found & NEVER == set()


def test_the_detector_works(tmp_path: Path) -> None:
    found = imported(tmp_path, "import importlib.metadata, jinja2")
    assert found & LATER == {"jinja2"}
    assert {"email", "importlib.metadata"} <= found & NEVER
