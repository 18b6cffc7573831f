"""Ways to log in: ~/.ssh/config, jump hosts, an agent's keys, passwords; and known_hosts with hashed names."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from fleet.lab import Lab
from tests.lab.suite import Suite, journal


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


def address(lab: Lab, host: str) -> str:
    return next(status.address for status in lab.status() if status.name == host)


def inventory(suite: Suite, settings: str) -> str:
    path = suite.directory / "own.yml"
    path.write_text(f"hosts: {{box: {{{settings}}}}}\n")
    return str(path)


def met(suite: Suite, settings: str, *words: str) -> str:
    """Which host was met, under the name box."""
    done = suite.run("facts", "box", *words, inventory=inventory(suite, settings))
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^hostname: (\S+)$", done.stdout, re.MULTILINE)
    assert found is not None
    return found[1]


def write_config(suite: Suite, text: str) -> None:
    (suite.directory / ".ssh").mkdir(mode=0o700)
    (suite.directory / ".ssh" / "config").write_text(text)


def test_the_users_ssh_configuration_is_read(suite: Suite, lab: Lab) -> None:
    write_config(suite, f"Host box\n  HostName {address(lab, 'lab1')}\n  User admin\n  IdentityFile {lab.identity}\n")
    assert met(suite, f"known_hosts: {lab.known_hosts}") == "lab1"


def test_a_jump_host_is_gone_through_and_its_key_checked(suite: Suite, lab: Lab) -> None:
    first, second = address(lab, "lab1"), address(lab, "lab2")
    write_config(
        suite, f"Host box\n  HostName {second}\n  ProxyJump root@{first}\nHost *\n  User root\n  IdentityFile {lab.identity}\n"
    )
    assert met(suite, f"known_hosts: {lab.known_hosts}") == "lab2"
    known = [line for line in lab.known_hosts.read_text().splitlines() if second in line]
    (suite.directory / "half").write_text("\n".join(known) + "\n")
    done = suite.run("facts", "box", inventory=inventory(suite, "known_hosts: half"))
    assert done.returncode == 3
    assert f"the host key of {first} is not known" in done.stderr


def test_a_key_is_had_from_an_agent(suite: Suite, lab: Lab, key_agent: str) -> None:
    suite.environment = {"SSH_AUTH_SOCK": key_agent}
    assert met(suite, f"address: {address(lab, 'lab1')}, user: root, known_hosts: {lab.known_hosts}") == "lab1"


def test_a_refused_key_costs_no_connection(suite: Suite, lab: Lab, key_agent: str) -> None:
    """OpenSSH passes over what was sent ahead of the login, and the next key is tried on the same connection."""
    other = suite.directory / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    suite.environment = {"SSH_AUTH_SOCK": key_agent}
    settings = f"address: {address(lab, 'lab1')}, user: root, known_hosts: {lab.known_hosts}, identity_file: {other}"
    before = len(journal(lab, "lab1"))
    assert met(suite, settings) == "lab1"
    said = journal(lab, "lab1")[before:]
    assert [len([line for line in said if line.startswith(start)]) for start in ("Connection from", "Starting session")] == [1, 1]


@pytest.fixture
def key_agent(lab: Lab, tmp_path: Path) -> Iterator[str]:
    socket = str(tmp_path / "agent")
    started = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(socket):
            assert started.poll() is None
        subprocess.run(["ssh-add", "-q", str(lab.identity)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        yield socket
    finally:
        started.terminate()
        started.wait()


def test_a_password_logs_in_and_is_nowhere_written(suite: Suite, lab: Lab) -> None:
    suite.environment = {"SKIFF_SSH_PASSWORD": "op-password", "SKIFF_BECOME_PASSWORD": "op-password"}
    assert met(suite, f"address: {address(lab, 'lab1')}, user: op, known_hosts: {lab.known_hosts}") == "lab1"
    assert "op-password" not in "".join(path.read_text() for path in (suite.directory / "state").rglob("*.json*"))


def test_hashed_names_and_the_users_own_file_of_known_hosts(suite: Suite, lab: Lab) -> None:
    (suite.directory / ".ssh").mkdir(mode=0o700)
    mine = suite.directory / ".ssh" / "known_hosts"
    mine.write_text(lab.known_hosts.read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(mine)], check=True, capture_output=True)
    assert address(lab, "lab1") not in mine.read_text()
    assert met(suite, f"address: {address(lab, 'lab1')}, user: root, identity_file: {lab.identity}") == "lab1"
