"""The main job over SSH: a bare host becomes a verified container host; a plan is true; a second run changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import pytest

from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.relay import Connection, Relay
from tests.lab.suite import Suite, changed, journal, own_roles, planned

LARGEST = 64 << 10  # bytes on the wire, both ways, key exchange included


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Suite:
    """Only a role of the test's own; what it made on the session's hosts goes again."""
    return Suite(lab, tmp_path, ("--role-path", str(own_roles(tmp_path)), "--roles", "own"))


@pytest.fixture(autouse=True)
def _as_they_were(lab: Lab) -> None:
    for name in ("lab1", "lab2"):
        lab.exec(name, ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])


def through_relay(suite: Suite, relay: Relay, host: str) -> str:
    """An inventory that reaches the host through the relay."""
    address = next(status.address for status in suite.lab.status() if status.name == host)
    lines = [line.split(None, 1) for line in suite.lab.known_hosts.read_text().splitlines()]
    keys = [f"[127.0.0.1]:{relay.port} {key}\n" for names, key in lines if address in names.split(",")]
    assert keys
    (suite.directory / "known").write_text("".join(keys))
    settings = f"address: 127.0.0.1, port: {relay.port}, user: root, known_hosts: known, identity_file: {suite.lab.identity}"
    path = suite.directory / "relayed.yml"
    path.write_text(f"hosts: {{{host}: {{{settings}}}}}\n")
    return str(path)


def provision_by_one_exec(suite: Suite, host: str) -> Tuple[str, Connection]:
    """A run's outcome and the one connection, with one exec and no SFTP, that it took."""
    address = next(status.address for status in suite.lab.status() if status.name == host)
    relay = Relay((address, 22))
    inventory = through_relay(suite, relay, host)
    before = len(journal(suite.lab, host))
    outcome = suite.document("provision", host, inventory=inventory)
    relay.close()
    said = journal(suite.lab, host)[before:]
    assert len([line for line in said if line.startswith("Connection from")]) == 1
    assert len([line for line in said if line.startswith("Starting session: ")]) == 1
    assert not [line for line in said if "sftp" in line]
    (connection,) = relay.connections
    return outcome[host]["state"], connection


def assert_no_change_is_short(suite: Suite, host: str) -> None:
    """A run without changes takes five round trips, the connect's own included, and no contents travel."""
    state, connection = provision_by_one_exec(suite, host)
    assert (state, connection.round_trips) == ("ok", 5)
    assert connection.to_server.carried + connection.to_client.carried < LARGEST


def test_a_bare_host_becomes_a_verified_container_host(suite: Suite, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    plan = suite.document("plan", name)
    assert (plan["status"], plan[name]["state"]) == (0, "changed")
    first = suite.document("provision", name)
    assert changed(first[name]) == planned(plan[name])
    assert [check for check in first[name]["checks"] if not check["passed"]] == []
    assert (first["status"], first[name]["faults"]) == (0, [])
    second = suite.document("provision", name)
    assert (second["status"], second[name]["state"], changed(second[name])) == (0, "ok", [])
    assert not any(event["kind"] == "begin" and event.get("host") for event in suite.events())
    assert_no_change_is_short(suite, name)
    verified = suite.document("verify", name)
    assert (verified["status"], planned(verified[name])) == (0, [])
    assert {"firewall", "selinux", "kernel", "service"} <= {check["role"] for check in verified[name]["checks"]}
    version = suite.run("version", name)
    assert version.returncode == 0
    assert "Server" in version.stdout


def test_a_plan_changes_nothing_on_the_host(own: Suite, lab: Lab) -> None:
    look = ["find", "/etc", "/opt", "/usr/local", "/var/lib", "/root", "-xdev", "-newer", "/run/mark", "-type", "f"]
    lab.exec("lab1", ["touch", "/run/mark"])
    assert planned(own.document("plan", "lab1")["lab1"]) == [
        "directory:/var/lib/own", "file:/var/lib/own/a", "file:/var/lib/own/b", "link:/var/lib/own/c", "command:count",
    ]  # fmt: skip
    assert lab.exec("lab1", look).stdout == ""
    assert lab.exec("lab1", ["ls", "/var/lib/skiff-agent"]).returncode != 0


@pytest.mark.parametrize("user", ["root", "admin", "cshuser", "fishuser"])
def test_any_login_shell_and_sudo_without_password_do(own: Suite, lab: Lab, user: str) -> None:
    outcome = own.document("provision", "lab1", "--set", f"user={user}")
    assert (outcome["status"], outcome["lab1"]["state"]) == (0, "changed")
    assert lab.exec("lab1", ["cat", "/var/lib/own/b"]).stdout == "hello from lab1\n"
    assert own.document("provision", "lab1", "--set", f"user={user}")["lab1"]["state"] == "ok"


def test_sudo_with_its_password(own: Suite, lab: Lab) -> None:
    own.environment = {"SKIFF_BECOME_PASSWORD": "op-password"}
    outcome = own.document("provision", "lab1", "--set", "user=op")
    assert (outcome["status"], outcome["lab1"]["state"]) == (0, "changed")
    assert lab.exec("lab1", ["stat", "-c", "%U", "/var/lib/own/a"]).stdout == "root\n"
    record = "".join(path.read_text() for path in (own.directory / "state").rglob("*.jsonl"))
    assert "op-password" not in record


def test_several_hosts_in_one_run(own: Suite, lab: Lab) -> None:
    outcome = own.document("provision", "lab", "--set", "word=both")
    assert (outcome["lab1"]["state"], outcome["lab2"]["state"]) == ("changed", "changed")
    assert lab.exec("lab2", ["cat", "/var/lib/own/b"]).stdout == "both from lab2\n"


def test_a_handler_runs_once_for_its_change_and_not_without(own: Suite, lab: Lab) -> None:
    own.document("provision", "lab1")
    own.document("provision", "lab1")
    assert lab.exec("lab1", ["cat", "/var/lib/own/count"]).stdout == "again\n"
    own.document("provision", "lab1", "--set", "word=other")
    assert lab.exec("lab1", ["cat", "/var/lib/own/count"]).stdout == "again\nagain\n"


def test_a_run_without_changes_is_short(own: Suite, lab: Lab) -> None:
    own.document("provision", "lab1")
    assert_no_change_is_short(own, "lab1")


def test_contents_travel_on_the_same_exec(own: Suite, lab: Lab) -> None:
    own.options = (*own.options, "--set", f"word={'much ' * 500}")  # a thousand times that is the file's text
    state, connection = provision_by_one_exec(own, "lab1")
    assert state == "changed"
    assert connection.to_server.carried > 2_500_000
    assert connection.round_trips < 20  # the window of the channel is filled again in between


def test_a_host_without_python_gets_it_first_and_a_plan_says_so(own: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    name = fresh_host(python="none").name
    plan = own.document("plan", name)
    assert (plan["status"], planned(plan[name])) == (0, ["python"])
    assert lab.exec(name, ["sh", "-c", "command -v python3"]).returncode != 0
    outcome = own.document("provision", name)
    assert (outcome["status"], outcome[name]["state"]) == (0, "changed")
    assert lab.exec(name, ["cat", "/var/lib/own/b"]).stdout == f"hello from {name}\n"
    assert "python:python3" in {one["id"] for one in Suite(lab, own.directory).document("deprovision", name)[name]["left"]}


@pytest.mark.parametrize("release", ["el8", "el10"])
def test_the_agent_runs_on_the_python_of_other_releases(own: Suite, lab: Lab, fresh_host: FreshHost, release: str) -> None:
    name = fresh_host(release).name
    assert own.document("provision", name)[name]["state"] == "changed"
    assert own.document("provision", name)[name]["state"] == "ok"
