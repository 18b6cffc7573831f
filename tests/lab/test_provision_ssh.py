"""Ways to log in: ~/.ssh/config, jump hosts, an agent's keys, passwords; and known_hosts with hashed names."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import Suite, journal

RELAY = """\
import os, socket, sys, threading
link = socket.create_connection((os.environ["REACH"], int(sys.argv[2])))
def outward():
    while data := os.read(0, 65536):
        link.sendall(data)
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=outward, daemon=True).start()
while data := link.recv(65536):
    os.write(1, data)
"""


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


def test_an_ansible_inventory_leads_over_a_jump_host(suite: Suite, lab: Lab) -> None:
    """By ssh's arguments, the host's key being known under a name of its own in a file that they name."""
    first, second = address(lab, "lab1"), address(lab, "lab2")
    write_config(suite, f"Host {first}\n  User root\n  IdentityFile {lab.identity}\n  UserKnownHostsFile {lab.known_hosts}\n")
    key = next(line.split(" ", 1)[1] for line in lab.known_hosts.read_text().splitlines() if line.startswith(second))
    (suite.directory / "keys").write_text(f"inner {key}\n")
    arguments = f"-J {first} -o UserKnownHostsFile={suite.directory}/keys -o HostKeyAlias=inner -i {lab.identity}"
    hosts = suite.directory / "hosts.ini"
    hosts.write_text(f"box ansible_host={second} ansible_user=root ansible_ssh_common_args='{arguments}'\n")
    done = suite.run("facts", "box", inventory=str(hosts))
    assert "hostname: lab2" in done.stdout, done.stdout + done.stderr
    (suite.directory / "keys").write_text("")
    assert "the host key of inner is not known" in suite.run("facts", "box", inventory=str(hosts)).stderr
    (suite.directory / ".ssh" / "config").write_text(f"Host {first}\n  User root\n  IdentityFile {lab.identity}\n")
    assert f"the host key of {first} is not known" in suite.run("facts", "box", inventory=str(hosts)).stderr


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


def test_a_chain_of_two_jump_hosts_each_with_its_own_user_port_and_key(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    first, second, last = address(lab, "lab1"), address(lab, "lab2"), fresh_host()
    key = suite.directory / "jump"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(key)], check=True)
    authorise(lab, "lab2", "op", key)
    with sshd(lab, "lab2", 2222, "AllowTcpForwarding=yes"):
        write_config(
            suite,
            f"""Host box
                HostName {last.address}
                User root
                IdentityFile {lab.identity}
                ProxyJump admin@one,two
            Host one
                HostName {first}
                IdentityFile {lab.identity}
            Host two
                HostName {second}
                Port 2222
                User op
                IdentityFile {key}
                IdentitiesOnly yes
                HostKeyAlias {second}
            """,
        )
        assert met(suite, f"known_hosts: {lab.known_hosts}") == last.name
    done = suite.run("facts", "box", inventory=inventory(suite, f"known_hosts: {lab.known_hosts}"))
    assert done.returncode == 3
    assert f"jump host {second} port 2222 cannot be reached from the jump host before it" in done.stderr


def test_a_proxy_command_stands_for_the_connection(suite: Suite, lab: Lab) -> None:
    relay = suite.directory / "relay"
    relay.write_text(RELAY)
    write_config(suite, f"Host box\n  User root\n  IdentityFile {lab.identity}\n  ProxyCommand {sys.executable} {relay} %h %p\n")
    (suite.directory / "known").write_text(f"box {host_key(lab)}\n")
    suite.environment = {"REACH": address(lab, "lab1")}
    assert met(suite, "known_hosts: known") == "lab1"
    suite.environment = {"REACH": "nobody.invalid"}
    done = suite.run("facts", "box", inventory=inventory(suite, "known_hosts: known"))
    assert done.returncode == 3
    assert "box port 22 cannot be reached by its ProxyCommand" in done.stderr
    assert "gaierror" in done.stderr


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_with_a_passphrase(suite: Suite, lab: Lab, kind: str) -> None:
    key = suite.directory / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "open sesame", "-f", str(key)], check=True)
    authorise(lab, "lab1", "op", key)
    settings = f"address: {address(lab, 'lab1')}, user: op, identity_file: {key}, known_hosts: {lab.known_hosts}, become: false"
    done = suite.run("facts", "box", inventory=inventory(suite, settings))
    assert done.returncode == 3
    assert "--ask-key-passphrase or SKIFF_SSH_KEY_PASSPHRASE" in done.stderr
    suite.environment = {"SKIFF_SSH_KEY_PASSPHRASE": "open sesame"}
    assert met(suite, settings) == "lab1"


def test_a_password_asked_for_at_a_keyboard(suite: Suite, lab: Lab) -> None:
    suite.environment = {"SKIFF_SSH_PASSWORD": "op-password", "SKIFF_BECOME_PASSWORD": "op-password"}
    options = ("PasswordAuthentication=no", "KbdInteractiveAuthentication=yes", "UsePAM=yes", "PubkeyAuthentication=no")
    with sshd(lab, "lab1", 2223, *options):
        name = f"[{address(lab, 'lab1')}]:2223"
        known = suite.directory / "known"
        known.write_text(f"{name} {host_key(lab)}\n")
        assert met(suite, f"address: {address(lab, 'lab1')}, port: 2223, user: op, known_hosts: {known}") == "lab1"


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_a_changed_key_is_refused_but_where_none_is_checked(suite: Suite, lab: Lab, policy: str) -> None:
    other = suite.directory / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    known = suite.directory / "known"
    known.write_text(f"{address(lab, 'lab1')} {' '.join(other.with_suffix('.pub').read_text().split()[:2])}\n")
    settings = f"address: {address(lab, 'lab1')}, user: root, identity_file: {lab.identity}, known_hosts: {known}"
    done = suite.run("facts", "box", "--host-key-policy", policy, inventory=inventory(suite, settings))
    if policy == "off":
        assert done.returncode == 0
        assert "warning: HOST KEYS ARE NOT CHECKED" in done.stderr
    else:
        assert done.returncode == 3
        assert f"THE HOST KEY OF {address(lab, 'lab1')} HAS CHANGED" in done.stderr
    assert len(known.read_text().splitlines()) == 1


def test_a_key_accepted_at_first_sight_counts_from_then_on(suite: Suite, lab: Lab) -> None:
    known = suite.directory / "known"
    settings = f"address: {address(lab, 'lab1')}, user: root, identity_file: {lab.identity}, known_hosts: {known}"
    assert met(suite, settings, "--host-key-policy", "accept-new") == "lab1"
    assert met(suite, settings) == "lab1"
    write_config(suite, "Host *\n  StrictHostKeyChecking yes\n")
    known.write_text("")
    done = suite.run("facts", "box", "--host-key-policy", "accept-new", inventory=inventory(suite, settings))
    assert done.returncode == 3
    assert "is not known" in done.stderr


def authorise(lab: Lab, host: str, user: str, key: Path) -> None:
    """Lets a key in as well, until the test's end has forgotten it: the user's own file stays as it is."""
    public = key.with_suffix(".pub").read_text()
    script = f"cd ~{user} && mkdir -p .ssh && cat >> .ssh/authorized_keys && chown -R {user} .ssh && chmod -R go= .ssh"
    assert lab.exec(host, ["sh", "-c", script], stdin=public).returncode == 0


def host_key(lab: Lab) -> str:
    return " ".join(lab.known_hosts.read_text().splitlines()[0].split()[1:3])


@contextlib.contextmanager
def sshd(lab: Lab, host: str, port: int, *options: str) -> Iterator[None]:
    """Another SSH server on a lab host."""
    words = " ".join(f"-o {option}" for option in options)
    pid = f"/run/sshd-{port}.pid"
    serve = f"/usr/sbin/sshd -p {port} -o PidFile={pid} {words} && while ! test -s {pid}; do :; done"
    started = lab.exec(host, ["sh", "-c", f"firewall-cmd -q --add-port={port}/tcp && {serve}"])
    assert started.returncode == 0, started.stderr
    try:
        yield
    finally:
        lab.exec(host, ["sh", "-c", f"kill $(cat {pid}); firewall-cmd -q --remove-port={port}/tcp"])
