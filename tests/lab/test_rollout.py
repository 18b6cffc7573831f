"""Upgrades and rollbacks of real hosts: containers under load run on, and what was cut is resumed."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from fleet import bundle
from fleet.lab import HostSpec, HostStatus, Lab
from tests.lab.conftest import FreshHost
from tests.lab.rollouts import becomes, ended, versions_in
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
    return ended(suite.run(task, hosts, *words, "--json"), status)


def versions(suite: Suite, hosts: str) -> Dict[str, Dict[str, Any]]:
    return versions_in(rolled(suite, "versions", hosts))


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


def killed(suite: Suite, task: str, chance: random.Random, times: int, *words: str) -> None:
    """A rollout whose process is killed so many times at random moments, if it lives so long, each time resumed; then it ends."""
    begun = journals(suite)
    first = (task, "--hosts", "many*", "--inventory", str(suite.lab.inventory), *words)
    for _ in range(times):
        argv = suite.argv(*(first if journals(suite) == begun else (task, "--resume")))
        process = subprocess.Popen(argv, env=suite.env(), cwd=suite.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(2, 8))
        process.kill()
        process.wait()
    argv = suite.argv(*(first if journals(suite) == begun else (task, "--resume")))
    subprocess.run(argv, env=suite.env(), cwd=suite.directory, capture_output=True, timeout=1200)
    last = max((suite.directory / "state" / "skiff" / "rollouts").glob("*.jsonl"))
    lines = [json.loads(line) for line in last.read_text().splitlines()]
    assert any(line["kind"] == "resumed" for line in lines)
    assert (lines[-1]["kind"], lines[-1]["state"]) == ("end", "done"), lines[-1]


def journals(suite: Suite) -> int:
    return len(list((suite.directory / "state" / "skiff" / "rollouts").glob("*.jsonl")))


@pytest.fixture
def provisioned(lab: Lab, tmp_path: Path) -> Iterator[Callable[[int], List[HostStatus]]]:
    """Boots and provisions so many hosts."""
    made: List[str] = []

    def boot(count: int) -> List[HostStatus]:
        made.extend(f"many{number}" for number in range(count))
        hosts = lab.boot([HostSpec(name, 201 + number, "el9") for number, name in enumerate(made)])
        suite = Suite(lab, tmp_path)
        argv = suite.argv("provision", "--hosts", "many*", "--inventory", str(lab.inventory))
        done = subprocess.run(argv, env=suite.env(), cwd=tmp_path, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout
        return hosts

    try:
        yield boot
    finally:
        for name in made:
            lab.remove(name)


@pytest.mark.long
def test_ten_hosts_under_load_killed_now_and_then(
    lab: Lab, provisioned: Callable[[int], List[HostStatus]], tmp_path: Path, bundles: Dict[str, str]
) -> None:
    suite = Suite(lab, tmp_path)
    with at_work(lab, provisioned(10)) as loads:
        told = rolled(suite, "upgrade", "many*", "--to", bundles[NEXT])
        assert set(becomes(told).values()) == {"changed"}
        assert [len(batch) for batch in told["rollout"]["batches"]] == [1, 1, 5, 3]
        for load in loads:
            assert load.processes() == load.before
        killed(suite, "rollback", random.Random(20), 5)
        here = versions(suite, "many*")
        assert {one["current"] for one in here.values()} == {OWN}
        assert all(one["daemon"] == one["launcher"] == [OWN] for one in here.values())
    for load in loads:
        load.assert_undisturbed()


SPOIL = "while sleep 0.1; do for v in 9.0.0 9.1.0; do test -f /opt/skiff/$v/LICENSE && echo x >> /opt/skiff/$v/LICENSE; done; done"


@pytest.mark.long
def test_a_dozen_hosts_with_faults_of_every_kind(
    lab: Lab, provisioned: Callable[[int], List[HostStatus]], tmp_path: Path, bundles: Dict[str, str]
) -> None:
    suite = Suite(lab, tmp_path)
    names = [host.name for host in provisioned(12)]
    for name in ("many2", "many6"):
        said(lab, name, "systemctl stop ssh")
    said(lab, "many4", "touch /opt/skiff/9.0.0 /opt/skiff/9.1.0")  # in the version's way
    said(lab, "many9", f"systemd-run -q sh -c '{SPOIL}'")  # no version is as it was unpacked
    killed(suite, "upgrade", random.Random(30), 4, "--to", bundles[NEXT], "--batch", "1,50%", "--max-failures", "4")
    reached = ",".join(name for name in names if name not in ("many2", "many6"))
    here = versions(suite, reached)
    assert [name for name, one in here.items() if one["current"] != NEXT] == ["many4"]
    assert all(one["daemon"] == [NEXT] for name, one in here.items() if name != "many4")
    # The same faults, and one less is allowed: the batch of the last of them goes back.
    told = rolled(suite, "upgrade", "many*", "--to", bundles[AFTER], "--batch", "4", "--max-failures", "3", status=2)
    assert told["rollout"]["state"] == "failed"
    *before, last = told["rollout"]["batches"]
    here = versions(suite, reached)
    assert "many9" in last
    assert {here[name]["current"] for batch in before for name in batch if name != "many4"} == {AFTER}
    assert {here[name]["current"] for name in last if name not in ("many4", "many9")} == {NEXT}
    assert becomes(told)["many9"] == "failed"  # what it would go back to is spoiled as well
