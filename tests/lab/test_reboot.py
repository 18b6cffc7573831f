"""Hosts that reboot where their state needs it: containers stand against it, a run that is killed is finished by the next.

The need is one that a host tells of itself: its kernel says that it has SELinux, and runs without. A unit takes that back at the
next boot, as a boot with SELinux would.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from fleet import probe_image
from fleet.lab import Lab
from tests.lab import suite as suites
from tests.lab.loaded import reached
from tests.lab.suite import Suite, changed

HOSTS = ["reboot1", "reboot2"]
REASON = "SELinux is off until this host is started anew"
KERNEL = "/boot/config-$(uname -r)"
NEED = f"""
cat >/etc/systemd/system/lab-cure.service <<'END'
[Unit]
ConditionPathExists=!/run/lab-needs
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'rm -f {KERNEL.replace("$", "$$")}'
[Install]
WantedBy=multi-user.target
END
touch /run/lab-needs
systemctl enable lab-cure.service
mkdir -p /boot
echo CONFIG_SECURITY_SELINUX=y >{KERNEL}
"""


@pytest.fixture(scope="module")
def provisioned(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two hosts as declared, the first of which runs a container."""
    directory = tmp_path_factory.mktemp("provision")
    with suites.provisioned(lab, directory, HOSTS, 44):
        with probe_image.build(report=lambda _: None, root=directory).open("rb") as image:
            subprocess.run([*lab.ssh_argv("reboot1"), "skiff load"], stdin=image, stdout=subprocess.DEVNULL, check=True)
        assert run_container(lab, "--detach", "--name", "db", words="sleep 1000") != ""
        yield lab


@pytest.fixture
def suite(provisioned: Lab, tmp_path: Path) -> Suite:
    for name in HOSTS:
        assert provisioned.exec(name, ["sh", "-ec", NEED]).returncode == 0
    return Suite(provisioned, tmp_path, ("--reboot", "--reboot-timeout", "120"))


def run_container(lab: Lab, *options: str, words: str) -> str:
    done = lab.exec("reboot1", ["sh", "-c", f"skiff run --network none {' '.join(options)} {probe_image.REFERENCE} {words}"])
    assert done.returncode == 0, done.stderr
    return done.stdout


def boot(lab: Lab, name: str) -> str:
    return lab.exec(name, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout


def test_who_needs_it_is_rebooted_unless_a_container_would_be_lost(suite: Suite, provisioned: Lab) -> None:
    before = [boot(provisioned, name) for name in HOSTS]
    first = suite.document("provision", "reboot*")
    assert (first["status"], first["reboot1"]["state"], first["reboot2"]["state"]) == (2, "failed", "changed")
    [fault] = first["reboot1"]["faults"]
    assert (fault["brief"], fault["where"]) == ("a container would not be started again: db", "reboot")
    assert (first["reboot1"]["reboot"], first["reboot2"]["reboot"], first["reboot2"]["rebooted"]) == ([REASON], [], [REASON])
    assert [check for check in first["reboot2"]["checks"] if not check["passed"]] == []
    now = [boot(provisioned, name) for name in HOSTS]
    assert (now[0] == before[0], now[1] == before[1]) == (True, False)
    # By force; who needs it no more is left alone.
    second = suite.document("provision", "reboot*", "--force")
    assert (second["status"], second["reboot1"]["rebooted"], second["reboot2"]["state"]) == (0, [REASON], "ok"), second["reboot1"]
    assert boot(provisioned, "reboot1") != now[0]
    assert boot(provisioned, "reboot2") == now[1]
    assert run_container(provisioned, "--rm", words="echo again") == "again\n"
    third = suite.document("provision", "reboot*")
    assert [(third[name]["state"], changed(third[name]), third[name]["reboot"]) for name in HOSTS] == [("ok", [], [])] * 2


@pytest.mark.long
def test_a_run_that_is_killed_while_the_host_is_away_is_finished_by_the_next(suite: Suite, provisioned: Lab) -> None:
    before = boot(provisioned, "reboot2")
    argv = suite.argv("provision", "--hosts", "reboot2", "--inventory", str(provisioned.inventory))
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=suite.env(), cwd=suite.directory)
    try:
        assert reached(suite.directory, "reboot", "")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # However far the host is by now: one that is away is tried for again.
    tries = (suite.document("provision", "reboot2") for _ in range(10))
    again: Dict[str, Any] = next((done for done in tries if done["status"] == 0), {})
    assert again["reboot2"]["reboot"] == []
    assert boot(provisioned, "reboot2") != before
