"""What is said of bad input and bad hosts: each message names the cause and the cure, and nothing is half-written."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from fleet.lab import Lab
from tests.lab.conftest import FreshHost, FullDisk
from tests.lab.suite import Suite, own_roles


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path, ("--role-path", str(own_roles(tmp_path)), "--roles", "own"))


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


@pytest.fixture(autouse=True)
def _as_they_were(lab: Lab) -> None:
    for name in ("lab1", "lab2"):
        lab.exec(name, ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])


def address(lab: Lab, host: str = "lab1") -> str:
    return next(status.address for status in lab.status() if status.name == host)


def untouched(lab: Lab) -> bool:
    return lab.exec("lab1", ["ls", "/var/lib/own", "/var/lib/skiff-agent"]).stdout == ""


def inventory(own: Suite, **settings: str) -> str:
    found: Dict[str, str] = {
        "address": address(own.lab), "user": "root",
        "identity_file": str(own.lab.identity), "known_hosts": str(own.lab.known_hosts), **settings,
    }  # fmt: skip
    path = own.directory / "own.yml"
    path.write_text(f"hosts: {{lab1: {{{', '.join(f'{key}: {value}' for key, value in found.items())}}}}}\n")
    return str(path)


def test_an_unreachable_host_is_told_and_holds_no_other(own: Suite, lab: Lab) -> None:
    lab.set_link("lab2", "down")
    try:
        outcome = own.document("provision", "lab")
    finally:
        lab.set_link("lab2", "up")
    assert (outcome["status"], outcome["lab1"]["state"], outcome["lab2"]["state"]) == (3, "changed", "unreachable")
    (fault,) = outcome["lab2"]["faults"]
    assert "did not answer within 10 s" in fault["brief"] or "cannot be reached" in fault["brief"]


def test_a_port_that_the_firewall_refuses_is_told(own: Suite, lab: Lab) -> None:
    done = own.run("provision", "lab1", inventory=inventory(own, port="2"))
    assert done.returncode == 3
    assert f"{address(lab)} port 2 cannot be reached" in done.stdout
    assert "a firewall refuses the port" in done.stdout


def test_a_wrong_key_is_told(own: Suite, lab: Lab) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own.directory / "wrong")], check=True)
    done = own.run("provision", "lab1", inventory=inventory(own, identity_file="wrong"))
    assert done.returncode == 3
    assert f"root@{address(lab)} port 22 refused to let us in" in done.stdout
    assert "name the key with identity_file" in done.stdout
    assert untouched(lab)


def test_an_encrypted_key_is_told(own: Suite, lab: Lab) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(own.directory / "locked")], check=True)
    done = own.run("provision", "lab1", inventory=inventory(own, identity_file="locked"))
    assert done.returncode == 3
    assert "is encrypted" in done.stdout
    assert "ssh-add" in done.stdout


def test_an_unknown_host_key_is_refused_with_the_way_to_accept_it(own: Suite, lab: Lab) -> None:
    settings = inventory(own, known_hosts="empty")
    done = own.run("provision", "lab1", inventory=settings)
    assert done.returncode == 3
    assert f"the host key of {address(lab)} is not known: ED25519 SHA256:" in done.stdout
    assert f"ssh-keyscan {address(lab)} >> {own.directory}/empty" in done.stdout
    assert "--host-key-policy accept-new" in done.stdout
    assert untouched(lab)
    accepted = own.document("provision", "lab1", "--host-key-policy", "accept-new", inventory=settings)
    assert accepted["lab1"]["state"] == "changed"
    assert (own.directory / "empty").read_text().startswith(f"{address(lab)} ssh-ed25519 ")
    assert own.document("provision", "lab1", inventory=settings)["lab1"]["state"] == "ok"


def test_a_changed_host_key_is_refused_loudly_whatever_the_policy(own: Suite, lab: Lab) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own.directory / "other")], check=True)
    kind, key, *_ = (own.directory / "other.pub").read_text().split()
    (own.directory / "stale").write_text(f"{address(lab)} {kind} {key}\n")
    for policy in ("strict", "accept-new"):
        done = own.run("provision", "lab1", "--host-key-policy", policy, inventory=inventory(own, known_hosts="stale"))
        assert done.returncode == 3
        assert f"THE HOST KEY OF {address(lab)} HAS CHANGED" in done.stdout
        assert f"ssh-keygen -R '{address(lab)}'" in done.stdout
    assert untouched(lab)


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        ("op", "", "sudo asks for a password and none was given"),
        ("op", "wrong", "sudo refused the password"),
        ("weak", "x", "sudo"),
    ],
)
def test_a_refusal_of_sudo_is_told(own: Suite, lab: Lab, user: str, password: str, message: str) -> None:
    own.environment = {"SKIFF_BECOME_PASSWORD": password} if password else {}
    done = own.run("provision", "lab1", "--set", f"user={user}")
    assert done.returncode == 2
    assert message in done.stdout
    assert untouched(lab)


def test_a_wrong_password_costs_one_attempt(own: Suite, lab: Lab) -> None:
    count = ["sh", "-c", "journalctl -q -o cat -t sudo | grep -c 'incorrect password attempt'"]
    before = int(lab.exec("lab1", count).stdout or 0)
    own.environment = {"SKIFF_BECOME_PASSWORD": "wrong"}
    own.run("provision", "lab1", "--set", "user=op")
    said = lab.exec("lab1", ["sh", "-c", "journalctl -q -o cat -t sudo | grep 'incorrect password attempt' | tail -n 1"]).stdout
    assert int(lab.exec("lab1", count).stdout) == before + 1
    assert "1 incorrect password attempt" in said


def test_a_full_disk_is_told_and_leaves_no_half_file(own: Suite, lab: Lab, full_disk: FullDisk) -> None:
    full_disk("lab1", "/var/lib/own")
    done = own.run("provision", "lab1")
    assert done.returncode == 2
    assert "file:/var/lib/own/a: no space left to write /var/lib/own/a" in done.stdout
    assert "free some space" in done.stdout
    assert lab.exec("lab1", ["ls", "-A", "/var/lib/own"]).stdout.split() == ["fill"]


def test_a_broken_daemon_json_is_kept_and_told(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    lab.exec(name, ["sh", "-c", "mkdir -p /etc/skiff; printf '{broken' > /etc/skiff/daemon.json"])
    done = suite.run("provision", name, "--roles", "daemon_config")
    assert done.returncode == 2
    assert "/etc/skiff/daemon.json" in done.stdout
    assert lab.exec(name, ["cat", "/etc/skiff/daemon.json"]).stdout == "{broken"


@pytest.mark.parametrize(
    ("release", "personality", "words"),
    [("el9", "x86", ["64-bit", "i686"]), ("debian", "", ["Debian"])],
)
def test_a_host_that_skiff_does_not_prepare_is_refused_before_any_change(
    suite: Suite, lab: Lab, fresh_host: FreshHost, release: str, personality: str, words: List[str]
) -> None:
    name = fresh_host(release, personality=personality).name
    done = suite.run("provision", name)
    assert done.returncode == 2
    assert all(word in done.stdout for word in words), done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert lab.exec(name, ["ls", "/var/lib/skiff-agent", "/opt/skiff"]).stdout == ""


def test_a_package_that_no_repository_has_is_told(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    done = suite.run("provision", name, "--roles", "packages", "--set", "extra_packages=[no-such-package]")
    assert done.returncode == 2
    assert "no-such-package" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_second_run_waits_for_the_first_by_name(own: Suite, lab: Lab) -> None:
    slow = own.directory / "roles" / "own" / "role.py"
    slow.write_text(slow.read_text().replace('COUNT = "', 'COUNT = "sleep 3; '))
    first = subprocess.Popen(
        own.argv("provision", "--hosts", "lab1", "--inventory", str(lab.inventory)), env=own.env(), cwd=own.directory,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    while "file:/var/lib/own/a" not in (line := first.stdout.readline()):
        assert line
    second = own.run("provision", "lab1")
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert f"pid {first.pid}" in second.stdout
    assert "lab1: waits for the run of" in second.stdout
    assert (second.returncode, "changed=0" in second.stdout) == (0, True)
    assert lab.exec("lab1", ["cat", "/var/lib/own/count"]).stdout == "again\n"
