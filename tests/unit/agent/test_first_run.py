"""A plan of a host that has nothing yet is right: what earlier resources will bring counts for those that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List

import pytest

from fleet.agent import traceless
from fleet.agent.errors import AgentError
from fleet.agent.forecast import ABSENT, Forecast
from fleet.agent.kinds import sysctl
from fleet.resources import Directory, File, Group, JsonFile, Link, Package, Resource, Unit, User
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire

Rows = Callable[[str], List[Resource]]
RIGHT: List[Rows] = [
    lambda at: [Directory(f"{at}/a"), Directory(f"{at}/a/b"), File(f"{at}/a/b/f", content("x"))],
    lambda at: [Directory(f"{at}/a"), Link(f"{at}/l", "a"), File(f"{at}/l/f", content("x"))],
    lambda at: [Group("skiff-makers"), File(f"{at}/f", content("x"), group="skiff-makers")],
    lambda at: [User("skiff-maker"), Directory(f"{at}/a", owner="skiff-maker", group="skiff-maker"), JsonFile(f"{at}/a/j", {})],
    lambda at: [Group("skiff-makers"), User("skiff-maker", group="skiff-makers", groups=("root",))],
    lambda at: [User("skiff-maker", home=f"{at}/home"), File(f"{at}/home/f", content("x"), owner="skiff-maker")],
    lambda at: [Package(("tool",)), Unit("tool.service", enabled=True, active=True)],
    lambda at: [Package(("tool",)), File(f"{at}/of-the-package/f", content("x"), owner="skiff-tool", group="skiff-tool")],
    lambda at: [File("/etc/systemd/system/skiff-x.service", content("x")), Unit("skiff-x.service", enabled=True, active=True)],
]
WRONG: List[Rows] = [
    lambda at: [File(f"{at}/a/f", content("x"))],
    lambda at: [File(f"{at}/f", content("x"), owner="skiff-maker")],
    lambda at: [User("skiff-maker", group="skiff-makers")],
    lambda at: [User("skiff-maker", home=f"{at}/home", system=True), File(f"{at}/home/f", content("x"))],
    lambda at: [User("nobody", state="absent"), File(f"{at}/f", content("x"), owner="nobody")],
    lambda at: [Group("daemon", state="absent"), File(f"{at}/f", content("x"), group="daemon")],
    lambda at: [Unit("skiff-x.service", active=True)],
]


@pytest.mark.parametrize("rows", RIGHT)
def test_what_comes_first_counts(session: Session, host: FakeHost, root: Path, rows: Rows) -> None:
    host.update(available={"tool": []})
    plan = session.check([wire(resource) for resource in rows(str(root))])
    assert plan["errors"] == []
    assert len(plan["changes"]) == len(rows(str(root)))


@pytest.mark.parametrize("rows", WRONG)
def test_what_will_not_be_there_is_told(session: Session, root: Path, rows: Rows) -> None:
    resources = [wire(resource) for resource in rows(str(root))]
    errors = session.check(resources)["errors"]
    assert [error["id"] for error in errors] == [resources[-1]["id"]]


def test_a_file_that_would_override_a_parameter_and_goes_before_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysctl, "_later", lambda _: [("/etc/sysctl.d/zz.conf", "net.ipv4.ip_forward", "0")])
    forecast = Forecast()
    with pytest.raises(AgentError, match="another file sets other values"):
        sysctl._refuse_overridden({"net.ipv4.ip_forward": "1"}, "own", forecast)
    forecast.paths["/etc/sysctl.d/zz.conf"] = ABSENT
    sysctl._refuse_overridden({"net.ipv4.ip_forward": "1"}, "own", forecast)


def test_a_dry_run_keeps_cache_logs_and_history_to_itself(session: Session, host: FakeHost) -> None:
    host.update(available={"x": []})
    session.check([wire(Package(("x",)))])
    runs = [call for call in host.calls() if call[0] == "dnf"]
    assert len(runs) == 2
    for run in runs:
        places = {word.partition("=")[2].partition("=")[0]: word.rpartition("=")[2] for word in run if word.startswith("--setopt=")}
        for option in ("cachedir", "logdir", "persistdir"):
            assert Path(places[option]).name in ("cache", "log", "lib")
            assert "skiff-agent." in places[option]
            assert not Path(places[option]).exists()


def test_a_run_that_applies_uses_the_hosts_own_cache(session: Session, host: FakeHost) -> None:
    host.update(available={"x": []})
    session.apply([wire(Package(("x",)))])
    assert not any("cachedir" in word for call in host.calls() for word in call)


def test_yum_has_options_of_its_own() -> None:
    with traceless.dry_run("yum", cached=False) as (options, environment):
        assert [word.partition("=")[2].partition("=")[0] for word in options if word.startswith("--setopt")] == [
            "cachedir", "persistdir", "logfile", "history_record",
        ]  # fmt: skip
        assert "%_dbpath" in (Path(environment["HOME"]) / ".rpmmacros").read_text()


def test_the_hosts_metadata_is_linked_and_its_packages_and_locks_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "dnf" / "base-0123"
    for name in ("repodata/repomd.xml", "packages/x.rpm"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    (tmp_path / "dnf" / "base.solv").write_text("solv")
    (tmp_path / "dnf" / "expired_repos.json").write_text("[]")
    monkeypatch.setattr(traceless, "CACHE", str(tmp_path / "dnf"))
    with traceless.dry_run("dnf", cached=True) as (options, environment):
        cache = Path(environment["HOME"]) / "cache"
        assert sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if not path.is_dir()) == [
            "base-0123/repodata/repomd.xml", "base.solv",
        ]  # fmt: skip
        assert "--cacheonly" in options


def test_a_host_without_room_is_told_before_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traceless, "NEEDED", 1 << 60)
    with pytest.raises(AgentError, match="has no room"), traceless.dry_run("dnf", cached=False):
        pass
