"""What Docker's own engine takes: pinned versions, RPMs that are sent, members of a group, an engine that is left, a proxy."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path
from typing import Any, Dict, List
from unittest.mock import Mock

import pytest

from fleet.agent.kinds import repository
from fleet.resources import Departure, Group, Package, Unit
from tests.unit.agent import interpreters
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire

PARTS = ("docker-ce", "docker-ce-cli")
LEAVING = Departure(
    "docker-ce",
    units=("docker.socket", "docker.service"),
    listing=("docker", "ps"),
    stopping=("docker", "stop"),
    companions=("containerd.service",),
)
STOPPING = Departure(LEAVING.engine, LEAVING.units, LEAVING.listing, LEAVING.stopping, LEAVING.companions, stop_containers=True)


@pytest.fixture
def engine(host: FakeHost) -> FakeHost:
    """A host with an engine in two versions to be had."""
    host.update(available={name: [] for name in PARTS}, offered={name: ["1.0", "2.0"] for name in PARTS})
    return host


def pinned(version: str) -> List[Dict[str, Any]]:
    return [wire(Package(PARTS, versions=dict.fromkeys(PARTS, version)))]


@pytest.mark.parametrize("manager", ["dnf", "yum"])
def test_a_pin_goes_forth_and_back(session: Session, engine: FakeHost, manager: str) -> None:
    if manager == "yum":  # its install never goes back
        (engine.bin / "dnf").rename(engine.bin / "yum")
        engine.update(forward_only=True)
    for version, told in (("1.0", "absent -> 1.0"), ("2.0", "1.0-1 -> 2.0"), ("1.0", "2.0-1 -> 1.0")):
        plan, (result,), _ = session.apply(pinned(version))
        assert result["status"] == "changed", result["error"]
        assert result["summary"] == f"install docker-ce {version}, docker-ce-cli {version}" == plan["changes"][0]["summary"]
        assert result["diff"] == f"docker-ce: {told}\ndocker-ce-cli: {told}\n" == plan["changes"][0]["diff"]
        assert engine.state["versions"] == dict.fromkeys(PARTS, f"{version}-1")
        assert session.check(pinned(version))["changes"] == []
    assert session.check(pinned("1.0-1"))["changes"] == []
    assert session.check([wire(Package(PARTS))])["changes"] == []


def test_a_version_that_there_is_not(session: Session, engine: FakeHost) -> None:
    plan, _, _ = session.apply(pinned("3.0"))
    assert plan["errors"][0]["error"]["brief"] == "no enabled repository has docker-ce-3.0"


@pytest.mark.parametrize("name", interpreters.NAMES)
def test_rpms_that_are_sent_are_all_that_is_installed_from(name: str, tmp_path: Path, host: FakeHost) -> None:
    python = interpreters.found().get(name)
    if python is None:
        pytest.skip(f"{name} is not on this machine")
    session = Session(tmp_path, python=python, path=host.path)
    host.update(installed=["needed"])
    large = "docker-ce 2.0-1\n" + " " * (2 << 20)  # by the spool, as a real one
    files = {"docker-ce": content(large), "docker-ce-cli": content("docker-ce-cli 2.0-1\n"), "needed": content("needed 5-1")}
    resources = [wire(Package(tuple(files), versions=dict.fromkeys(PARTS, "2.0-1"), files=files))]
    plan, (result,), _ = session.apply(resources)
    assert result["status"] == "changed", result["error"]
    assert plan["changes"][0]["summary"] == result["summary"] == "install docker-ce 2.0-1, docker-ce-cli 2.0-1"
    (call,) = [call for call in host.calls() if call[0] == "dnf"]
    assert "--disablerepo=*" in call
    assert [Path(word).name for word in call[-2:]] == ["docker-ce.rpm", "docker-ce-cli.rpm"]
    assert not Path(call[-1]).exists()
    assert list((session.home / "spool").iterdir()) == []
    assert session.check(resources)["changes"] == []


def test_members_are_added_and_must_exist(session: Session, host: FakeHost, tmp_path: Path) -> None:
    me = getpass.getuser()
    (error,) = session.check([wire(Group("nogroup", members=("no-such-user", me)))])["errors"]
    assert error["error"]["brief"] == "no such user, to be put into group nogroup: no-such-user"
    (change,) = session.check([wire(Group("nogroup", members=(me,)))])["changes"]
    assert (change["summary"], change["diff"]) == (f"update group nogroup: add {me}", f"{me} in group nogroup: absent -> there\n")
    (host.bin / "gpasswd").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n')
    (host.bin / "gpasswd").chmod(0o755)
    _, (result,), _ = session.apply([wire(Group("nogroup", members=(me,)))])
    assert (result["status"], (tmp_path / "said").read_text()) == ("changed", f"-a {me} nogroup\n")


def engine_at_work(host: FakeHost, **containers: str) -> None:
    for name in ("docker.socket", "docker.service"):
        host.unit(name, active="active", enabled="enabled")
    host.unit("containerd.service", active="active")
    host.update(containers=[{"Names": name, "Status": status} for name, status in containers.items()])


def test_an_engine_without_containers_is_left(session: Session, host: FakeHost) -> None:
    engine_at_work(host, old="Exited (0) 2 days ago", made="Created")
    plan, (result,), _ = session.apply([wire(LEAVING)])
    told = "leave docker-ce: stop, disable docker.socket, docker.service, containerd.service; stopped ones stay: made, old"
    assert result["summary"] == told == plan["changes"][0]["summary"]
    assert {unit["ActiveState"] for unit in host.state["units"].values()} == {"inactive"}
    assert {unit["UnitFileState"] for unit in host.state["units"].values()} == {"disabled"}
    host.calls()
    assert session.apply([wire(LEAVING)])[0]["changes"] == []
    assert [call[0] for call in host.calls()] == ["systemctl", "systemctl"]


def test_running_containers_refuse_it_before_anything_is_touched(session: Session, host: FakeHost) -> None:
    engine_at_work(host, web="Up 3 hours", again="Restarting (1) 2 seconds ago", old="Exited (0) 2 days ago")
    before = host.state
    plan, results, _ = session.apply([wire(LEAVING), wire(Unit("containerd.service", enabled=True))])
    (error,) = plan["errors"]
    assert error["error"]["brief"] == "docker-ce runs containers on this host: again, web"
    assert "old: Exited (0) 2 days ago" in error["error"]["details"]
    assert "engine_switch: stop" in error["error"]["resolution"]
    assert [result["status"] for result in results] == ["failed", "skipped"]
    assert host.state == before


def test_running_containers_are_stopped_where_that_is_asked_for(session: Session, host: FakeHost) -> None:
    engine_at_work(host, web="Up 3 hours", old="Exited (0) 2 days ago")
    _, (result,), _ = session.apply([wire(STOPPING)])
    assert result["summary"].endswith("; stop containers web; stopped ones stay: old")
    assert ["docker", "stop", "web"] in host.calls()
    assert {unit["ActiveState"] for unit in host.state["units"].values()} == {"inactive"}


def test_the_form_of_the_api_is_read_too(session: Session, host: FakeHost) -> None:
    engine_at_work(host)
    host.update(containers=[{"Names": ["/web"], "Status": "Up 3 hours"}])
    (error,) = session.check([wire(LEAVING)])["errors"]
    assert error["error"]["brief"].endswith(": web")


def test_an_engine_that_does_not_tell_is_not_left(session: Session, host: FakeHost) -> None:
    engine_at_work(host)
    host.update(mute=True)
    (error,) = session.check([wire(STOPPING)])["errors"]
    assert error["error"]["brief"] == "docker-ce does not tell which containers it has"
    assert "Cannot connect" in error["error"]["details"]


def test_a_companion_that_is_enabled_by_itself_runs_on(session: Session, host: FakeHost) -> None:
    engine_at_work(host)
    host.unit("containerd.service", active="active", enabled="enabled")
    session.apply([wire(LEAVING)])
    assert host.state["units"]["containerd.service"]["ActiveState"] == "active"
    assert session.check([wire(LEAVING)])["changes"] == []


def test_what_takes_over_a_name_is_planned_on_what_will_be_left(session: Session, host: FakeHost) -> None:
    engine_at_work(host)
    host.unit("docker.service", active="active", enabled="enabled", FragmentPath="/usr/lib/systemd/system/docker.service")
    plan = session.check([wire(LEAVING), wire(Unit("docker.service", enabled=True, active=True))])
    assert plan["changes"][1]["summary"] == "enable, start docker.service"


def test_a_proxy_leads_to_the_key_and_its_password_is_on_no_command_line(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", host.path)
    options = {"proxy": "http://proxy.test:3128", "proxy_username": "fleet", "proxy_password": "p@ss/word"}
    repository._import_key("https://packages.test/gpg", repository._proxy(options), Mock())
    assert "http://fleet:p%40ss%2Fword@proxy.test:3128" in (host.folder / "proxies").read_text().splitlines()
    calls = host.calls()
    assert ["rpm", "--import", "https://packages.test/gpg"] in calls
    assert "p%40ss" not in str(calls)
    assert repository._proxy({"proxy": "http://proxy.test:3128"})["http_proxy"] == "http://proxy.test:3128"
    assert repository._proxy({}) == {}


def test_a_repository_with_a_password_is_root_s_alone() -> None:
    want = {
        "name": "docker-ce",
        "description": "",
        "baseurl": "https://packages.test",
        "gpgkey": "",
        "gpgcheck": True,
        "enabled": True,
    }
    want.update(options={"proxy_password": "hunter22"})
    for secret, mode in ((True, 0o600), (False, 0o644)):
        document = repository._document({**want, "secret": secret})
        assert (document.mode, document.secret) == (mode, secret)
        assert b"proxy_password=hunter22\n" in (document.data or b"")


def test_the_fakes_proxy_is_the_environment_s(host: FakeHost) -> None:
    subprocess.run([str(host.bin / "rpm"), "-q", "x"], env={"PATH": host.path, "https_proxy": "http://p"}, capture_output=True)
    assert (host.folder / "proxies").read_text() == "http://p\n"
