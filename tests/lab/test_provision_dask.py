"""Lab hosts provisioned on the workers of a real Dask scheduler."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import pytest

pytest.importorskip("distributed")
from distributed import Client

from fleet.lab import Lab
from tests.cluster import Cluster, cluster
from tests.lab.suite import Suite, changed, own_roles

SLOW = 'Command("slow", ("sh", "-c", "echo $$ > /run/slow.pid; sleep 4; rm /run/slow.pid; echo ran >> /var/lib/own/slow"))'


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    """Its workers log in with keys and known hosts of their own, and have the test's own role at the same path."""
    directory = tmp_path / "dask"
    directory.mkdir()
    with cluster(directory) as made:
        with Client(f"tcp://{made.address}", set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture
def own(lab: Lab, dask: Cluster, tmp_path: Path) -> Iterator[Suite]:
    roles = own_roles(tmp_path)
    role = roles / "own" / "role.py"
    role.write_text(role.read_text().replace('Link("/var/lib/own/c", "a")', f'{SLOW}, Link("/var/lib/own/c", "a")'))
    yield Suite(lab, tmp_path, ("--role-path", str(roles), "--roles", "own", "--engine", f"dask://{dask.address}"))
    for name in ("lab1", "lab2"):
        lab.exec(name, ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])


def begun(own: Suite) -> subprocess.Popen[str]:
    """A run of both hosts that has reached the command that takes its time on both."""
    argv = own.argv("provision", "--hosts", "lab1,lab2", "--inventory", str(own.lab.inventory))
    process = subprocess.Popen(argv, env=own.env(), cwd=own.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen: List[str] = []
    while sum("file:/var/lib/own/b" in line for line in seen) < 2:
        seen.append(process.stdout.readline())
        assert seen[-1], process.communicate()
    for name in ("lab1", "lab2"):
        while own.lab.exec(name, ["test", "-s", "/run/slow.pid"]).returncode:
            time.sleep(0.1)
    return process


def ran(own: Suite, name: str) -> int:
    return own.lab.exec(name, ["cat", "/var/lib/own/slow"]).stdout.count("ran")


def settled(own: Suite) -> None:
    """Waits until no agent is at work."""
    for name in ("lab1", "lab2"):
        own.lab.exec(name, ["flock", "/run/skiff-agent.lock", "true"])


def assert_converges(own: Suite) -> None:
    again = own.document("provision", "lab1,lab2")
    assert (again["status"], again["lab1"]["faults"], again["lab2"]["faults"]) == (0, [], [])
    for name in ("lab1", "lab2"):
        assert own.lab.exec(name, ["readlink", "/var/lib/own/c"]).stdout == "a\n"
        assert own.lab.exec(name, ["cat", "/var/lib/own/count"]).stdout == "again\n"


def test_hosts_are_provisioned_and_then_found_as_declared(own: Suite, dask: Cluster) -> None:
    first = own.document("provision", "lab1,lab2")
    assert first["status"] == 0
    assert "file:/var/lib/own/a" in changed(first["lab1"])
    kinds = {(event["host"], event["kind"]) for event in own.events() if event.get("host")}
    assert {(name, kind) for name in ("lab1", "lab2") for kind in ("connecting", "facts", "plan", "begin", "finished")} <= kinds
    second = own.document("provision", "lab1,lab2")
    assert (second["status"], changed(second["lab1"])) == (0, ["command:slow"])
    assert "Traceback" not in dask.said


def test_ctrl_c_reaches_the_workers(own: Suite) -> None:
    process = begun(own)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "each host finishes the resource in hand" in err
    assert len(re.findall(r"changed command:slow", out)) == 2
    assert out.count("not done: link:/var/lib/own/c, command:count") == 2
    assert [ran(own, name) for name in ("lab1", "lab2")] == [1, 1]
    assert_converges(own)


def test_a_second_ctrl_c_ends_at_once_and_the_hosts_stop_all_the_same(own: Suite) -> None:
    process = begun(own)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "changed command:slow" not in out
    settled(own)
    assert own.lab.exec("lab1", ["test", "-e", "/var/lib/own/c"]).returncode == 1
    assert_converges(own)


def test_a_killed_worker_is_told_of_its_hosts_and_nothing_is_done_twice(own: Suite, dask: Cluster) -> None:
    process = begun(own)
    with Client(f"tcp://{dask.address}", set_as_default=False) as client:
        run = max((own.directory / "state" / "skiff" / "runs").glob("*.jsonl")).stem
        holders = client.get_metadata([f"skiff-{run}", "hosts"])
        pids = dict(client.run(os.getpid))
    assert len(set(holders.values())) == 2, "one worker has both hosts"
    os.kill(pids[holders["lab1"]], signal.SIGKILL)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 2, out + err
    assert "the worker that had this host in hand was lost" in out
    assert "lab2  changed" in out
    settled(own)
    assert [ran(own, name) for name in ("lab1", "lab2")] == [1, 1]
    assert own.lab.exec("lab1", ["test", "-e", "/var/lib/own/c"]).returncode == 1
    own.options = [*own.options[:-2]]
    assert_converges(own)
