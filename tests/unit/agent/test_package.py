"""Packages: asked once, installed in one transaction, foreseen with what they bring."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import List, Set

import pytest

from fleet.agent import dnf
from fleet.agent.errors import AgentError
from fleet.resources import Command, Directory, File, Package
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire


def test_installs_what_is_missing_in_one_transaction(session: Session, host: FakeHost) -> None:
    host.update(installed=["there"], available={"one": ["dep"], "two": []})
    resources = [wire(Package(("there", "one", "two"))), wire(Package(("dep",)))]
    plan, results, done = session.apply(resources)
    assert plan["changes"][0]["summary"] == "install one, two and 1 more"
    assert [change["id"] for change in plan["changes"]] == ["package:present:there,one,two"]
    assert [result["status"] for result in results] == ["changed", "ok"]
    assert [results[0][field] for field in ("summary", "diff")] == [plan["changes"][0][field] for field in ("summary", "diff")]
    (transaction,) = [call for call in host.calls() if call[0] == "dnf"]
    assert transaction[-3:] == ["install", "one", "two"]
    assert sorted(host.state["installed"]) == ["dep", "one", "there", "two"]
    host.update()  # else the answer may be remembered
    session.apply(resources)
    assert [call[0] for call in host.calls()] == ["rpm"]
    assert done["failed"] == 0


@pytest.mark.parametrize("assumes_yes", [False, True])
def test_a_transaction_waits_for_the_plan(session: Session, host: FakeHost, root: Path, assumes_yes: bool) -> None:
    host.update(available={"one": []}, assumes_yes=assumes_yes)
    (root / "x").mkdir()
    resources = [wire(Package(("one",))), wire(File(str(root / "x"), content("where a directory is")))]
    plan, results, _ = session.apply(resources)
    assert [change["id"] for change in plan["changes"]] == ["package:present:one"]
    assert [result["status"] for result in results] == ["skipped", "failed"]
    assert host.state["installed"] == []
    assert [call for call in host.calls() if call[0] == "dnf"] != []


def test_a_transaction_is_begun_anew_where_another_is_wanted_by_then(session: Session, host: FakeHost) -> None:
    host.update(available={"one": [], "two": []})
    (host.bin / "meanwhile").write_text(
        (host.bin / "rpm").read_text().split("installed =")[0] + 'state["installed"] = ["two"]\nsave()\n'
    )
    (host.bin / "meanwhile").chmod(0o755)
    resources = [wire(Command("meanwhile", ("meanwhile",))), wire(Package(("one", "two")))]
    _, results, done = session.apply(resources)
    assert (done["failed"], results[1]["summary"]) == (0, "install one")
    assert sorted(host.state["installed"]) == ["one", "two"]
    assert [call[-1] for call in host.calls() if call[0] == "dnf"] == ["two", "one"]


def test_removes_by_name(session: Session, host: FakeHost) -> None:
    host.update(installed=["docker", "other"])
    resources = [wire(Package(("docker", "docker-client"), state="absent"))]
    plan, _, _ = session.apply(resources)
    assert plan["changes"][0]["diff"] == "docker: 1-1 -> absent\n"
    assert host.state["installed"] == ["other"]
    assert session.check(resources)["changes"] == []


def test_what_goes_and_then_comes_back_is_foreseen(session: Session, host: FakeHost) -> None:
    host.update(installed=["engine"], available={"engine": []})
    resources = [wire(Package(("engine",), state="absent")), wire(Package(("engine",)))]
    plan, results, _ = session.apply(resources)
    assert len(plan["changes"]) == 2
    assert [result["status"] for result in results] == ["changed", "changed"]


def test_unknown_to_every_repository(session: Session, host: FakeHost) -> None:
    host.update(available={"known": []})
    plan, results, _ = session.apply([wire(Package(("known", "unknown-one", "unknown-two")))])
    assert plan["errors"][0]["error"]["brief"] == "no enabled repository has unknown-one, unknown-two"
    assert results[0]["status"] == "failed"
    assert host.state["installed"] == []


@pytest.mark.skipif(Path("/etc/yum.repos.d").exists(), reason="this machine has repositories of its own")
def test_a_repository_that_comes_as_a_file_is_foreseen(session: Session) -> None:
    repository = File("/etc/yum.repos.d/new.repo", content("# has tool"))
    resources = [wire(Directory("/etc/yum.repos.d")), wire(repository), wire(Package(("tool",)))]
    plan = session.check(resources)
    assert plan["errors"] == []
    assert [change["action"] for change in plan["changes"]] == ["create", "create", "install"]


def test_a_check_fetches_no_metadata_where_the_host_has_some(session: Session, host: FakeHost) -> None:
    host.update(available={"x": []})
    resources = [wire(Package(("x",)))]
    for cached, asked in ((True, [True]), (False, [True, False])):
        host.update(cached=cached)
        assert session.check(resources)["errors"] == []
        assert ["--cacheonly" in call for call in host.calls() if call[0] == "dnf"] == asked


YUM = """
================================================================================
 Package                Arch          Version                Repository    Size
================================================================================
Installing:
 lvm2                   x86_64        7:2.02.187-6.el7_9.5   updates      1.3 M
Installing for dependencies:
 device-mapper-persistent-data-with-a-long-name
                        x86_64        0.8.5-3.el7_9.2        updates      423 k

Transaction Summary
Exiting on user command
"""


@pytest.mark.parametrize(
    ("said", "unknown", "touched"),
    [
        (YUM, [], {"lvm2", "device-mapper-persistent-data-with-a-long-name"}),
        ("No package nosuch available.\nError: Nothing to do", ["nosuch"], set()),
        ("No match for argument: a\nError: Unable to find a match: a b", ["a", "a b"], set()),
    ],
)
def test_what_yum_and_dnf_say_is_understood(said: str, unknown: List[str], touched: Set[str]) -> None:
    assert re.findall(dnf.UNKNOWN, said) == unknown
    assert {name for name, _ in re.findall(dnf.ROW, said)} == touched


def test_a_failed_transaction_tells_its_last_lines(session: Session, host: FakeHost) -> None:
    host.update(available={"x": []}, dnf_fails=True)
    _, results, _ = session.apply([wire(Package(("x",)))])
    assert results[0]["error"]["brief"] == "dnf could not install x"
    assert "Transaction test error: conflict" in results[0]["error"]["details"]


def test_no_package_manager(session: Session, host: FakeHost) -> None:
    (host.bin / "dnf").unlink()
    (error,) = session.check([wire(Package(("x",)))])["errors"]
    assert error["error"]["brief"] == "this host has neither dnf nor yum"


def test_no_package_database(session: Session, host: FakeHost) -> None:
    (host.bin / "rpm").write_text("#!/bin/sh\necho error: cannot open Packages database >&2; exit 254\n")
    (error,) = session.check([wire(Package(("x",)))])["errors"]
    assert error["error"]["brief"] == "the package database cannot be read"


def test_another_package_manager_at_work_is_waited_for(session: Session, host: FakeHost) -> None:
    host.update(available={"x": []}, dnf_locked=1)
    _, results, _ = session.apply([wire(Package(("x",)))])
    assert results[0]["status"] == "changed"


def test_the_holder_of_the_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> None:
    program = tmp_path / "dnf"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    monkeypatch.setattr(dnf, "PATIENCE", -1.0)
    monkeypatch.setenv("PATH", host.path)
    host.update(dnf_locked=1)
    with subprocess.Popen([str(program), "upgrade"], stdin=subprocess.PIPE) as other:
        while b"upgrade" not in Path(f"/proc/{other.pid}/cmdline").read_bytes():
            pass
        with pytest.raises(AgentError) as raised:
            dnf.make_cache("dnf", "repo")
        other.communicate(b"\n")
    assert f"process {other.pid} (/bin/sh {program} upgrade)" in raised.value.brief
    assert "locked by 609" in raised.value.details
