"""A run that is cut anywhere: the next one converges, with no half-written file, no stale lock and no forgotten handler."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest

from fleet.lab import HostSpec, Lab
from tests.lab.suite import RUN, Suite, changed, own_roles

# Kills the control process itself right after it has written an event to the run record.
KILLED = """\
import os, signal, sys
from fleet import record
left, hear = int(os.environ["KILL_AFTER"]), record.Record.hear
def counted(self, event):
    global left
    hear(self, event)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
record.Record.hear = counted
"""
LEFTOVERS = "find / -xdev \\( -name '.skiff-tmp.*' -o -path '/var/lib/skiff-agent/spool/*' -o -path '/run/skiff-probe.*' \\) -print"


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Suite]:
    yield Suite(lab, tmp_path, ("--role-path", str(own_roles(tmp_path)), "--roles", "own"))
    lab.exec("lab1", ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])


def assert_converges(suite: Suite, name: str) -> None:
    """The next run ends well, the one after it changes nothing, and nothing of the cut one is left."""
    again = suite.document("provision", name)
    assert (again["status"], again[name]["faults"]) == (0, [])
    last = suite.document("provision", name)
    assert (last["status"], changed(last[name])) == (0, [])
    assert suite.lab.exec(name, ["sh", "-c", LEFTOVERS]).stdout == ""
    assert suite.lab.exec(name, ["flock", "-n", "/run/skiff-agent.lock", "true"]).returncode == 0


def test_the_control_process_killed_after_each_event(own: Suite, lab: Lab) -> None:
    own.document("provision", "lab1")
    count = len([event for event in own.events() if event.get("host")])
    for number in range(1, count):
        lab.exec("lab1", ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])
        own.environment = {"KILL_AFTER": str(number)}
        done = own.run("provision", "lab1", code=KILLED + RUN)
        assert done.returncode == -signal.SIGKILL
        assert_converges(own, "lab1")
        # The file calls for the handler once, whichever run made it; cut right after the handler, a run may not know and repeat it.
        runs = lab.exec("lab1", ["cat", "/var/lib/own/count"]).stdout.count("again")
        assert 1 <= runs <= 2, f"killed after event {number}: the handler ran {runs} times"


def interrupted(own: Suite, times: int) -> subprocess.CompletedProcess[str]:
    """A run that gets Ctrl-C while a command of two seconds runs on the host."""
    role = own.directory / "roles" / "own" / "role.py"
    role.write_text(
        role.read_text().replace('Link("/var/lib/own/c", "a")', 'Command("slow", ("sleep", "2")), Link("/var/lib/own/c", "a")')
    )
    argv = own.argv("provision", "--hosts", "lab1", "--inventory", str(own.lab.inventory))
    process = subprocess.Popen(argv, env=own.env(), cwd=own.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = ""
    while "file:/var/lib/own/b" not in seen:
        line = process.stdout.readline()
        assert line, process.communicate()
        seen += line
    time.sleep(0.5)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(argv, process.returncode, seen + out, err)


def test_ctrl_c_finishes_the_resource_in_hand_and_tells_what_was_done(own: Suite, lab: Lab) -> None:
    done = interrupted(own, 1)
    assert done.returncode == 130
    assert "each host finishes the resource in hand" in done.stderr
    assert "changed command:slow" in done.stdout
    assert "done: directory:/var/lib/own, file:/var/lib/own/a, file:/var/lib/own/b, command:slow" in done.stdout
    assert "not done: link:/var/lib/own/c, command:count" in done.stdout
    assert lab.exec("lab1", ["test", "-e", "/var/lib/own/c"]).returncode == 1
    assert lab.exec("lab1", ["flock", "-n", "/run/skiff-agent.lock", "true"]).returncode == 0


def test_a_second_ctrl_c_ends_at_once_and_the_next_run_converges(own: Suite, lab: Lab) -> None:
    done = interrupted(own, 2)
    assert done.returncode == 130
    assert "changed command:slow" not in done.stdout
    own.document("provision", "lab1")
    assert lab.exec("lab1", ["cat", "/var/lib/own/count"]).stdout == "again\n"


@contextlib.contextmanager
def bare_host(lab: Lab) -> Iterator[str]:
    """A host that nothing was done to yet, gone afterwards: many are needed, one at a time."""
    lab.boot([HostSpec("cut", 40, "el9")])
    try:
        yield "cut"
    finally:
        lab.remove("cut")


@pytest.mark.long
def test_the_control_process_killed_after_each_event_of_a_first_run(lab: Lab, tmp_path: Path) -> None:
    suite = Suite(lab, tmp_path)
    with bare_host(lab) as name:
        suite.document("provision", name)
    count = len([event for event in suite.events() if event.get("host")])
    for number in range(1, count):
        with bare_host(lab) as name:
            suite.environment = {"KILL_AFTER": str(number)}
            assert suite.run("provision", name, code=KILLED + RUN).returncode == -signal.SIGKILL
            assert_converges(suite, name)


@pytest.mark.long
def test_the_control_process_killed_at_random_moments_of_a_first_run(lab: Lab, tmp_path: Path) -> None:
    suite = Suite(lab, tmp_path)
    chance = random.Random(os.environ.get("SKIFF_SEED", "20"))
    for _ in range(20):
        with bare_host(lab) as name:
            argv = suite.argv("provision", "--hosts", name, "--inventory", str(lab.inventory))
            process = subprocess.Popen(argv, env=suite.env(), cwd=tmp_path, stdout=subprocess.DEVNULL)
            try:
                process.wait(chance.uniform(0.3, 4.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert_converges(suite, name)


def test_a_killed_run_is_resumed_with_the_same_options(own: Suite, lab: Lab) -> None:
    own.environment = {"KILL_AFTER": "6"}
    assert own.run("provision", "lab1", "--set", "word=resumed", code=KILLED + RUN).returncode == -signal.SIGKILL
    own.environment = {}
    resume = Suite(lab, own.directory)
    argv = resume.argv("resume")
    done = subprocess.run(argv, env=resume.env(), cwd=own.directory, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert lab.exec("lab1", ["cat", "/var/lib/own/b"]).stdout == "resumed from lab1\n"
    assert own.events()[0]["resumes"]
    again = subprocess.run(argv, env=resume.env(), cwd=own.directory, capture_output=True, text=True, timeout=120)
    assert (again.returncode, "nothing to resume" in again.stderr) == (1, True)
