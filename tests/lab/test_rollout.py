"""Upgrades and rollbacks of real hosts: containers under load run on, and what was cut is resumed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from fleet import bundle
from fleet.lab import HostSpec, HostStatus, Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import RUN, Suite
from tests.lab.workload import at_work, said

OWN = bundle.read_version(bundle.ROOT)
NEXT, AFTER = "9.0.0", "9.1.0"
KILLED_AFTER = """\
import os, signal
from fleet.rollout.journal import Journal
write, left = Journal.write, [int(os.environ["KILL_AFTER"])]
def killed(self, kind, **fields):
    line = write(self, kind, **fields)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return line
Journal.write = killed
"""


@pytest.fixture
def bundles(tmp_path: Path) -> Dict[str, str]:
    """This checkout's code under other versions."""
    found = {}
    for version in (NEXT, AFTER):
        path = tmp_path / f"{version}.tar.gz"
        path.write_bytes(bundle.build(bundle.ROOT, version))
        found[version] = str(path)
    return found


def rolled(suite: Suite, task: str, hosts: str, *words: str, status: int = 0) -> Dict[str, Any]:
    """A rollout's document."""
    done = suite.run(task, hosts, *words, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    document: Dict[str, Any] = json.loads(done.stdout)
    return document


def becomes(document: Dict[str, Any]) -> Dict[str, str]:
    return {name: host["rollout"]["state"] for name, host in document["hosts"].items()}


def versions(suite: Suite, hosts: str) -> Dict[str, Dict[str, Any]]:
    return {name: host["versions"] for name, host in rolled(suite, "versions", hosts).items()}


def runs(here: Dict[str, Any]) -> Tuple[Any, ...]:
    return here["current"], here["daemon"], here["launcher"], here["shims"]


def daemon(lab: Lab, host: str) -> str:
    return said(lab, host, "systemctl show -p MainPID -p ExecMainStartTimestamp skiff.service")


def test_containers_run_on_through_an_upgrade_and_a_rollback(
    lab: Lab, fresh_host: FreshHost, tmp_path: Path, bundles: Dict[str, str]
) -> None:
    host, suite = fresh_host(), Suite(lab, tmp_path)
    name = host.name
    assert suite.document("provision", name)["status"] == 0
    with at_work(lab, [host]) as (load,):
        told = rolled(suite, "upgrade", name, "--to", bundles[NEXT])
        assert (told["rollout"]["state"], becomes(told)) == ("done", {name: "changed"})
        here = versions(suite, name)[name]
        assert runs(here) == (NEXT, [NEXT], [NEXT], {OWN: 2})
        assert (here["previous"], sorted(here["kept"])) == (OWN, [OWN, NEXT])
        before = daemon(lab, name)
        assert becomes(rolled(suite, "upgrade", name, "--to", bundles[NEXT])) == {name: "there"}
        assert daemon(lab, name) == before
        refused = rolled(suite, "upgrade", name, "--to", OWN, status=2)
        assert refused["hosts"][name]["rollout"]["why"].startswith(f"{OWN} is older than {NEXT}, which is here")
        # A gate that is not content puts the host back.
        told = rolled(suite, "upgrade", name, "--to", bundles[AFTER], "--gate", "false", status=2)
        assert (told["rollout"]["state"], becomes(told)) == ("failed", {name: "restored"})
        assert runs(versions(suite, name)[name]) == (NEXT, [NEXT], [NEXT], {OWN: 2})
        # The control machine dies when the batch is written down and not yet begun.
        suite.environment = {"KILL_AFTER": "3"}
        assert suite.run("rollback", name, code=KILLED_AFTER + RUN).returncode == -signal.SIGKILL
        suite.environment = {}
        assert versions(suite, name)[name]["current"] == NEXT
        done = resumed(suite, "rollback", "--json")
        assert becomes(json.loads(done.stdout)) == {name: "changed"}
        assert runs(versions(suite, name)[name]) == (OWN, [OWN], [OWN], {OWN: 2})
    load.assert_undisturbed()
    done = resumed(suite, "rollback")
    assert (done.returncode, "there is no rollback to resume" in done.stderr) == (1, True)


def resumed(suite: Suite, task: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv = suite.argv(task, "--resume", *words)
    return subprocess.run(argv, capture_output=True, text=True, env=suite.env(), cwd=suite.directory, timeout=600)


def many(lab: Lab, count: int, first: int) -> List[HostStatus]:
    return lab.boot([HostSpec(f"many{number}", first + number, "el9") for number in range(count)])


@pytest.fixture
def ten(lab: Lab, tmp_path: Path) -> Iterator[List[HostStatus]]:
    hosts = many(lab, 10, 210)
    try:
        assert Suite(lab, tmp_path).document("provision", "many*")["status"] == 0
        yield hosts
    finally:
        for host in hosts:
            lab.remove(host.name)


@pytest.mark.long
def test_ten_hosts_under_load_killed_now_and_then(lab: Lab, ten: List[HostStatus], tmp_path: Path, bundles: Dict[str, str]) -> None:
    suite, chance = Suite(lab, tmp_path), random.Random(20)
    with at_work(lab, ten) as loads:
        told = rolled(suite, "upgrade", "many*", "--to", bundles[NEXT])
        assert set(becomes(told).values()) == {"changed"}
        assert [len(batch) for batch in told["rollout"]["batches"]] == [1, 1, 5, 3]
        for load in loads:
            assert load.processes() == load.before
        where = ("--inventory", str(lab.inventory))
        words = ["rollback", "--hosts", "many*", *where]
        for _ in range(5):
            process = subprocess.Popen(suite.argv(*words), env=suite.env(), cwd=tmp_path, stdout=subprocess.DEVNULL)
            try:
                process.wait(chance.uniform(2, 12))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            words = ["rollback", "--resume"]
        subprocess.run(suite.argv(*words), env=suite.env(), cwd=tmp_path, stdout=subprocess.DEVNULL, timeout=600)
        here = versions(suite, "many*")
        assert {runs(one)[0] for one in here.values()} == {OWN}
        assert all(one["daemon"] == one["launcher"] == [OWN] for one in here.values())
    for load in loads:
        load.assert_undisturbed()
