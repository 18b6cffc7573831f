"""A host is given back as it was before Skiff: after two different provisions, after cuts at any point, up to what is explained."""

from __future__ import annotations

import base64
import random
import signal
from pathlib import Path
from typing import Any, Dict, Mapping, Set

import pytest

from fleet import probe_image
from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.digest import digest
from tests.lab.mirror import OPTIONS, Mirror
from tests.lab.suite import RUN, Suite
from tests.lab.test_provision_cut import KILLED

KILL_AGENT = 'pid=$(sed -n "s/.*\\"pid\\": \\([0-9]*\\).*/\\1/p" /run/skiff-agent.lock) && [ -n "$pid" ] && kill -9 "$pid"'
MIRRORS = '["https://a.example"]', '["https://b.example"]'


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


def provision(suite: Suite, name: str) -> None:
    """Two runs that differ, so that files change twice; then what an administrator does."""
    for mirrors, compat, sysctl in zip(MIRRORS, ("false", "true"), (128, 256)):
        settings = (f"registry_mirrors={mirrors}", f"docker_compat={compat}", f"sysctls={{net.core.somaxconn: {sysctl}}}")
        words = [word for setting in settings for word in ("--set", setting)]
        outcome = suite.document("provision", name, *words)
        assert (outcome["status"], outcome[name]["faults"]) == (0, [])


def assert_given_back(suite: Suite, name: str, before: Set[str]) -> None:
    after = digest(suite.lab, name)
    assert sorted(before - after) == []
    assert sorted(after - before) == []


def told(outcome: Mapping[str, Any]) -> Dict[str, str]:
    """What a deprovision left, and why."""
    return {one["id"]: one["why"] for one in outcome["left"]}


def start_container(suite: Suite, name: str, client: str) -> None:
    image = b"".join(probe_image.at_hand()["x86_64"].chunks())
    run = 'base64 -d | "$0" load && "$0" run -d --network none skiff/probe:1 sleep 1000'
    started = suite.lab.exec(name, ["sh", "-c", run, client], base64.b64encode(image).decode())
    assert started.returncode == 0, started.stderr


def assert_containers_stand_against_it(suite: Suite, name: str, client: str) -> None:
    start_container(suite, name, client)
    refused = suite.document("deprovision", name)
    assert refused["status"] == 2
    assert "a container runs here" in refused[name]["faults"][0]["brief"]
    assert suite.lab.exec(name, ["pgrep", "-f", "sleep 1000"]).returncode == 0


@pytest.mark.parametrize("release", ["el9", pytest.param("el8", marks=pytest.mark.long)])
def test_a_host_is_given_back_as_it_was(suite: Suite, fresh_host: FreshHost, release: str) -> None:
    name = fresh_host(release).name
    before = digest(suite.lab, name)
    provision(suite, name)
    assert before - digest(suite.lab, name)
    plan = suite.document("deprovision", name, "--check")
    assert (plan["status"], plan[name]["state"]) == (0, "changed")
    (left,) = plan[name]["left"]
    assert left["id"] == "directory:/var/lib/skiff"
    assert "--purge-data" in left["why"]
    assert_containers_stand_against_it(suite, name, "skiff")
    outcome = suite.document("deprovision", name, "--force", "--purge-data")
    assert (outcome["status"], outcome[name]["faults"], outcome[name]["left"]) == (0, [], [])
    assert suite.lab.exec(name, ["pgrep", "-f", "sleep 1000"]).returncode == 1
    assert_given_back(suite, name, before)
    assert suite.document("deprovision", name)[name]["state"] == "ok"
    assert_given_back(suite, name, before)


def test_a_host_is_given_back_without_docker_s_engine(lab: Lab, tmp_path: Path, mirror: Mirror, fresh_host: FreshHost) -> None:
    suite, name = Suite(lab, tmp_path, (), mirror.environment), fresh_host().name
    before = digest(lab, name)
    words = (*OPTIONS, "--set", "engine=docker-ce", "--set", "docker_users=[admin]")
    outcome = suite.document("provision", name, *words)
    assert (outcome["status"], outcome[name]["faults"]) == (0, [])
    assert_containers_stand_against_it(suite, name, "docker")
    left = told(suite.document("deprovision", name, "--check", "--force")[name])
    for root in ("/var/lib/docker", "/var/lib/containerd", "/opt/containerd"):
        assert "--purge-data removes it" in left.pop(f"directory:{root}")
    identity = {"directory:/etc/docker": "it is not empty: /etc/docker/key.json"}  # which dockerd wrote there
    assert left == identity
    outcome = suite.document("deprovision", name, "--force", "--purge-data")
    assert (outcome["status"], outcome[name]["faults"], told(outcome[name])) == (0, [], identity)
    assert lab.exec(name, ["pgrep", "-f", "sleep 1000"]).returncode == 1
    lab.exec(name, ["rm", "/etc/docker/key.json"])
    again = suite.document("deprovision", name)
    assert (again["status"], again[name]["left"]) == (0, [])
    assert_given_back(suite, name, before)


@pytest.mark.long
def test_it_is_given_back_after_cuts_anywhere(suite: Suite, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    before = digest(suite.lab, name)
    moments = random.Random(7)
    for task, words, cuts in (("provision", (), 3), ("deprovision", ("--purge-data",), 4)):
        killed = 0
        for _ in range(cuts):
            suite.environment = {"KILL_AFTER": str(moments.randrange(3, 30))}
            done = suite.run(task, name, *words, code=KILLED + RUN)
            killed += done.returncode == -signal.SIGKILL
            suite.lab.exec(name, ["sh", "-c", KILL_AGENT])
        suite.environment = {}
        assert killed >= 2, task
        if task == "provision":
            provision(suite, name)
    outcome = suite.document("deprovision", name, "--purge-data")
    assert (outcome["status"], outcome[name]["faults"], outcome[name]["left"]) == (0, [], [])
    assert_given_back(suite, name, before)


def test_what_others_depend_on_stays_and_is_told(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    provision(suite, name)
    lab.exec(name, ["sh", "-c", "echo >> /etc/sysctl.d/99-skiff.conf; touch /opt/skiff/own; echo own > /etc/skiff/own"])
    lab.exec(name, ["sh", "-c", "useradd -M -G skiff someone"])
    left = told(suite.document("deprovision", name)[name])
    assert set(left) == {
        "file:/etc/sysctl.d/99-skiff.conf",
        "directory:/opt/skiff",
        "directory:/etc/skiff",
        "group:skiff",
        "directory:/var/lib/skiff",
    }
    assert left["group:skiff"] == "somebody is in it: someone"
    assert lab.exec(name, ["cat", "/etc/skiff/own"]).stdout == "own\n"
