"""Two control processes and one host: they never interleave, the second says for whom it waits, and a dead run holds nothing."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from fleet.lab import Lab
from tests.lab.suite import Suite, own_roles

STEPS = "/var/lib/own/steps"
# It ends when the test says so.
SLOW = f'Command("slow", ("sh", "-c", "echo begin >> {STEPS}; until test -e /run/go; do sleep 0.1; done; echo end >> {STEPS}"))'


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Suite]:
    roles = own_roles(tmp_path)
    role = roles / "own" / "role.py"
    role.write_text(role.read_text().replace('Link("/var/lib/own/c", "a")', f'{SLOW}, Link("/var/lib/own/c", "a")'))
    yield Suite(lab, tmp_path, ("--role-path", str(roles), "--roles", "own"))
    go(lab)
    lab.exec("lab1", ["flock", "/run/skiff-agent.lock", "rm", "-rf", "/run/go", "/var/lib/own", "/var/lib/skiff-agent"])


def go(lab: Lab) -> None:
    lab.exec("lab1", ["touch", "/run/go"])


def started(own: Suite, *words: str) -> subprocess.Popen[str]:
    argv = own.argv("provision", "--hosts", "lab1", "--inventory", str(own.lab.inventory), *words)
    return subprocess.Popen(argv, env=own.env(), cwd=own.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> Tuple[int, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def begun(own: Suite) -> subprocess.Popen[str]:
    """A run that has the host in hand: its slow command runs."""
    process = started(own)
    while steps(own)[-1:] != ["begin"]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    return process


def steps(own: Suite) -> List[str]:
    return own.lab.exec("lab1", ["cat", STEPS]).stdout.split()


def waits(own: Suite, process: subprocess.Popen[str]) -> str:
    """Whom a run says that it waits for."""
    while True:
        assert process.poll() is None, process.communicate()
        found: List[str] = [event["holder"]["who"] for event in own.events() if event["kind"] == "waiting"]
        if found:
            return found[0]
        time.sleep(0.1)


def test_the_second_run_refuses_at_once_by_name_and_the_first_goes_on(own: Suite, lab: Lab) -> None:
    first = begun(own)
    second = own.run("provision", "lab1", "--lock-timeout", "0")
    assert second.returncode == 2
    assert "another run has the lock: root@" in second.stdout
    assert f"pid {first.pid}" in second.stdout
    assert "--lock-timeout SECONDS" in second.stdout
    go(lab)
    assert ended(first)[0] == 0
    assert steps(own) == ["begin", "end"]


def test_the_second_run_waits_and_says_for_whom(own: Suite, lab: Lab) -> None:
    first = begun(own)
    second = started(own, "--lock-timeout", "120")
    assert f"pid {first.pid}" in waits(own, second)
    go(lab)
    assert ended(first)[0] == 0
    assert ended(second)[0] == 0
    assert steps(own) == ["begin", "end"] * 2


def test_a_run_killed_with_its_control_process_holds_the_host_no_longer_than_the_resource_in_hand(own: Suite, lab: Lab) -> None:
    first = begun(own)
    first.kill()
    ended(first)
    second = started(own, "--lock-timeout", "120")
    assert f"pid {first.pid}" in waits(own, second)
    go(lab)
    assert ended(second)[0] == 0
    # The first one's agent finished the command that it had in hand, before the second began it.
    assert steps(own) == ["begin", "end"] * 2


def test_an_agent_killed_holds_nothing_though_its_name_still_stands_in_the_lock(own: Suite, lab: Lab) -> None:
    first = begun(own)
    holder = json.loads(lab.exec("lab1", ["cat", "/run/skiff-agent.lock"]).stdout)
    assert lab.exec("lab1", ["kill", "-9", str(holder["pid"])]).returncode == 0
    status, said = ended(first)
    assert status == 2
    assert "the agent ended before it was done" in said
    assert lab.exec("lab1", ["cat", "/run/skiff-agent.lock"]).stdout != ""
    go(lab)
    second = own.document("provision", "lab1", "--lock-timeout", "0")
    assert second["status"] == 0, second
