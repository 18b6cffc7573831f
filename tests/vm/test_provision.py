"""A machine with SELinux enforcing and version 2 of control groups alone: prepared over SSH, rebooted, verified.

In this order: each test begins where the one before it ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from fleet import probe_image
from tests.vm.machine import BOOT, Machine

ROOT = Path(__file__).resolve().parents[2]
RUN = "from invoke.main import program; import sys; sys.exit(program.run())"
# Emulated, a login takes seconds and a provisioning minutes.
PATIENCE = 5400
PATIENT = ("--reboot-timeout", "3000")
ENFORCING = ("--set", "selinux=enforcing")
ON = "SELinux stays on until this host is started anew"

Task = Callable[..., Dict[str, Any]]


@pytest.fixture(scope="module")
def task(el8: Machine, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Runs a task against the machine; the outcome, with the exit status."""
    directory = tmp_path_factory.mktemp("control")
    key = el8.image.known_hosts.read_text().split(None, 1)[1]
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{el8.port} {key}")
    host = {"address": "127.0.0.1", "port": el8.port, "user": "root", "identity_file": str(el8.image.identity)}
    inventory = {"groups": {"machines": {"hosts": {"vm": {**host, "known_hosts": str(directory / "known_hosts")}}}}}
    (directory / "inventory.yml").write_text(json.dumps(inventory))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SKIFF_", "SSH_"))}
    environment = {**clean, "XDG_STATE_HOME": str(directory / "state"), "HOME": str(directory), "PYTHONPATH": str(ROOT)}

    def run(name: str, *words: str) -> Dict[str, Any]:
        where = ("--hosts", "vm", "--inventory", "inventory.yml", "--json", "--timeout", str(PATIENCE), "--connect-timeout", "300")
        argv = [sys.executable, "-c", RUN, "--search-root", str(ROOT), name, *where, "--set", "verify_timeout=900", *words]
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=directory, timeout=PATIENCE)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout)["hosts"]["vm"], "status": done.returncode}

    return run


def said(machine: Machine, command: str) -> str:
    done = machine.run(command)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode().strip()


def well(outcome: Dict[str, Any]) -> bool:
    """Whether a run ended well, with every check passed that tells of a fault; else why not."""
    failed = [check for check in outcome["checks"] if not check["passed"] and check["severity"] == "critical"]
    assert (outcome["faults"], failed) == ([], [])
    return bool(outcome["checks"]) and outcome["status"] in (0, 4)


def test_it_is_prepared_while_selinux_enforces(el8: Machine, task: Task) -> None:
    first = task("provision", *ENFORCING)
    assert well(first)
    assert (first["state"], first["reboot"]) == ("changed", [])
    assert said(el8, "getenforce; grep -c ' cgroup2\\? ' /proc/self/mounts").split() == ["Enforcing", "1"]
    again = task("provision", *ENFORCING, "--reboot")
    assert (again["status"], again["state"], again["rebooted"]) == (0, "ok", [])


def test_no_program_of_the_agent_s_was_denied_its_streams(el8: Machine) -> None:
    """Those that run in a domain of their own, modprobe and restorecon, were heard of: that they ran is seen by what they did."""
    assert said(el8, "lsmod | grep -c ^overlay; ls -Z /etc/skiff/daemon.json").split()[:2] == [
        "1",
        "unconfined_u:object_r:etc_t:s0",
    ]
    assert said(el8, "dmesg | grep 'avc: .*scontext=unconfined_u' || true") == ""


def test_a_boot_brings_it_back_under_selinux(el8: Machine, task: Task) -> None:
    el8.reboot()
    after = task("verify", "--boot", *ENFORCING)
    assert well(after)
    assert (after["state"], after["reboot"], said(el8, "getenforce")) == ("ok", [], "Enforcing")


def test_selinux_is_disabled_by_a_reboot_that_is_waited_for_and_verified(el8: Machine, task: Task) -> None:
    before = said(el8, BOOT)
    done = task("provision", "--set", "selinux=disabled", "--reboot", *PATIENT)
    assert well(done)
    assert (done["state"], done["rebooted"], done["reboot"]) == ("changed", [ON], [])
    assert said(el8, BOOT) != before
    assert said(el8, "getenforce; grep ^SELINUX= /etc/selinux/config").split() == ["Disabled", "SELINUX=disabled"]
    after = task("verify", "--boot", "--set", "selinux=disabled")
    assert well(after)
    assert (after["state"], after["reboot"]) == ("ok", [])


def test_a_container_runs_after_it(el8: Machine, tmp_path: Path) -> None:
    image = probe_image.build(report=lambda _: None, root=tmp_path).read_bytes()
    loaded = el8.run("skiff load", stdin=image)
    assert loaded.returncode == 0, loaded.stdout.decode()
    assert said(el8, f"skiff run --rm --network none {probe_image.REFERENCE} echo it runs") == "it runs"
