"""What the roles bring about on real hosts: other releases, Docker's names, reloads and restarts that stop no container."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleet import probe_image
from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import Suite, changed

MIRROR = 'registry_mirrors=["https://abc.mirror.aliyuncs.com"]'


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


def ask(lab: Lab, host: str, *commands: str) -> str:
    """What commands of a shell on a host print; each has to end well."""
    done = lab.exec(host, ["sh", "-ec", "\n".join(commands)])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def provisioned(suite: Suite, host: str, *words: str) -> list[str]:
    """Provision a host that was provisioned before; what changed. The runtime stays as it was deployed."""
    outcome = suite.document("provision", host, "--skip-roles", "runtime", *words)
    assert (outcome["status"], outcome[host]["faults"]) == (0, []), outcome[host]
    return changed(outcome[host])


def start_container(lab: Lab, host: str, directory: Path) -> None:
    image = probe_image.build(report=lambda _: None, root=directory)
    with image.open("rb") as stream:
        subprocess.run([*lab.ssh_argv(host), "skiff load"], stdin=stream, stdout=subprocess.DEVNULL, check=True)
    ask(lab, host, f"skiff run -d --name lasting --network none {probe_image.REFERENCE} sleep 1000")


@pytest.mark.parametrize(("release", "python"), [("el8", "/usr/bin/python3.11"), ("el10", "/usr/bin/python3")])
def test_other_releases(suite: Suite, lab: Lab, fresh_host: FreshHost, release: str, python: str) -> None:
    host = fresh_host(release).name
    first = suite.document("provision", host)
    assert (first["status"], first[host]["faults"]) == (0, []), first[host]
    assert ask(lab, host, "readlink /opt/skiff/current/python") == python
    second = suite.document("provision", host)
    assert (second["status"], changed(second[host])) == (0, [])


# The rules are there, and the signal that ends it in order is not listened for yet: as on a slow machine.
SLOW = """
import time
from gi.repository import GLib
add = GLib.unix_signal_add
def slow(*words):
    GLib.unix_signal_add = add
    time.sleep(2)
    return add(*words)
GLib.unix_signal_add = slow
"""


def test_a_firewalld_that_is_just_starting_leaves_no_rules(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    host, folder = fresh_host().name, "/run/systemd/system/firewalld.service.d"
    assert lab.exec(host, ["sh", "-ec", "mkdir /run/slow; cat >/run/slow/sitecustomize.py"], SLOW).returncode == 0
    ask(
        lab,
        host,
        f"mkdir {folder}; printf '[Service]\\nEnvironment=PYTHONPATH=/run/slow\\n' >{folder}/slow.conf",
        "systemctl daemon-reload; systemctl stop firewalld; systemctl start firewalld",
        "until nft list table inet firewalld >/dev/null 2>&1; do sleep 0.05; done",
    )
    first = suite.document("provision", host, "--roles", "firewall")
    assert (first["status"], first[host]["faults"]) == (0, []), first[host]
    assert ask(lab, host, "systemctl is-active firewalld || true") == "inactive"
    assert "firewalld" not in ask(lab, host, "nft list tables")


def test_docker_s_names_come_and_go(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host().name
    assert suite.run("provision", host).returncode == 0
    start_container(lab, host, tmp_path)
    provisioned(suite, host, "--set", "docker_compat=true")
    assert provisioned(suite, host, "--set", "docker_compat=true") == []
    # The primer's commands, as they stand there.
    ask(lab, host, "systemctl enable docker", "systemctl daemon-reload", "systemctl restart docker")
    assert ask(lab, host, "systemctl is-enabled docker", "systemctl is-active docker skiff").split() == [
        "enabled",
        "active",
        "active",
    ]
    assert "Server" in ask(lab, host, "docker version")
    assert ask(lab, host, "stat -c '%U %G %a' /run/docker.sock") == "root docker 660"
    assert "lasting" in ask(lab, host, "skiff -H unix:///run/docker.sock ps")
    removed = provisioned(suite, host)
    assert {"file:/etc/systemd/system/docker.service", "file:/usr/local/bin/docker"} <= set(removed)
    assert ask(lab, host, "ls /run/docker.sock 2>/dev/null || echo gone") == "gone"
    assert provisioned(suite, host) == []
    assert "lasting" in ask(lab, host, "skiff ps")


def test_a_mirror_reloads_and_another_option_restarts(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host().name
    assert suite.run("provision", host).returncode == 0
    start_container(lab, host, tmp_path)
    daemon = "systemctl show --property=MainPID --value skiff"
    first = ask(lab, host, daemon)
    assert provisioned(suite, host, "--set", MIRROR) == ["file:/etc/skiff/daemon.json", "unit:skiff.service"]
    assert ask(lab, host, daemon) == first
    assert "https://abc.mirror.aliyuncs.com/" in ask(lab, host, "skiff info")
    provisioned(suite, host, "--set", MIRROR, "--set", "daemon_options={log-opts: {max-size: 10m}}")
    assert ask(lab, host, daemon) != first
    assert "lasting" in ask(lab, host, "skiff ps")
