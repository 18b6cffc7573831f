"""What runs changed is undone: the original comes back, what is somebody else's stays and is told, and a cut converges."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.resources import Archive, Command, Directory, File, JsonFile, Link, Package, Unit
from tests.unit.agent.driver import Message, Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, wire


def deprovision(session: Session, mode: str = "apply", **request: Any) -> Message:
    """The `done` of a deprovision."""
    undo = {"what": "deprovision", "force": False, "purge": False, "clients": {}, **request}
    exchange = session.run(mode, [], undo=undo)
    assert not exchange.of_type("fatal"), exchange.messages
    return exchange.one("done")


def left(done: Message) -> Dict[str, str]:
    return {one["id"]: one["why"] for one in done["left"]}


def tree(root: Path) -> Dict[str, str]:
    """Every entry below a directory, with its mode and text."""
    found = {}
    for path in sorted(root.rglob("*")):
        mode = f"{stat.S_IMODE(path.lstat().st_mode):o} "
        found[str(path.relative_to(root))] = mode + (
            os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_text()
        )
    return found


def prepare(root: Path) -> Dict[str, str]:
    """What the host had before."""
    (root / "x").write_text("original\n")
    (root / "x").chmod(0o640)
    (root / "j").write_text('{"own": 1}\n')
    (root / "gone").write_text("precious\n")
    (root / "l").symlink_to("elsewhere")
    (root / "mode").write_text("mode\n")
    (root / "mode").chmod(0o600)
    return tree(root)


def resources(root: Path, word: str) -> List[Dict[str, Any]]:
    return [
        wire(Directory(str(root / "d"))),
        wire(File(str(root / "x"), content(f"{word}\n"))),
        wire(File(str(root / "d" / "y"), content(f"{word}\n"))),
        wire(File(str(root / "mode"), content("mode\n"))),
        wire(File(str(root / "gone"), state="absent")),
        wire(JsonFile(str(root / "j"), {"skiff": word})),
        wire(Archive(str(root / f"a-{word}"), tarball({"pkg/m.py": b"x"}))),
        wire(Link(str(root / "l"), f"a-{word}")),
        wire(Link(str(root / "m"), f"a-{word}")),
    ]


def test_everything_comes_back_after_two_runs(session: Session, root: Path) -> None:
    before = prepare(root)
    written = (root / "x").stat().st_mtime_ns
    session.apply(resources(root, "one"))
    session.apply(resources(root, "two"))
    assert deprovision(session, "check")["changed"] > 8
    assert (root / "x").read_text() == "two\n"
    done = deprovision(session)
    assert (done["failed"], left(done)) == (0, {})
    assert tree(root) == before
    assert (root / "x").stat().st_mtime_ns == written
    assert not session.home.exists()
    assert deprovision(session)["changed"] == 0
    assert not session.home.exists()


def test_what_somebody_else_changed_stays_and_is_told(session: Session, root: Path) -> None:
    prepare(root)
    session.apply(resources(root, "one"))
    (root / "x").write_text("theirs\n")
    (root / "d" / "own").write_text("theirs\n")
    (root / "a-one" / "pkg" / "m.py").write_text("theirs\n")
    done = deprovision(session)
    assert left(done) == {
        f"file:{root}/x": "it was changed since by somebody else",
        f"directory:{root}/d": f"it is not empty: {root}/d/own",
        f"archive:{root}/a-one": "somebody else changed it since (changed: pkg/m.py)",
    }
    assert (root / "x").read_text() == "theirs\n"
    assert not (root / "d" / "y").exists()
    assert session.home.exists()
    (root / "d" / "own").unlink()
    assert left(deprovision(session, force=True)) == {}
    assert (root / "x").read_text() == "original\n"
    assert not session.home.exists()


def test_data_stays_until_it_is_purged(session: Session, root: Path) -> None:
    session.apply([wire(Directory(str(root / "data"), data=True))])
    (root / "data" / "image").write_text("layers\n")
    assert "--purge-data" in left(deprovision(session))[f"directory:{root}/data"]
    assert (root / "data" / "image").exists()
    assert left(deprovision(session, purge=True)) == {}
    assert not (root / "data").exists()


def test_units_are_as_they_were_and_end_before_what_they_stand_on(session: Session, host: FakeHost, root: Path) -> None:
    host.unit("off.service", active="active", enabled="enabled")
    host.unit("on.service")
    session.apply([
        wire(Unit("off.service", active=False, enabled=False, masked=True)),
        wire(Unit("on.service", active=True, enabled=True)),
        wire(File(str(root / "late"), content("x"))),
    ])  # fmt: skip
    exchange = session.run("apply", [], undo={"what": "deprovision", "clients": {}})
    assert [one["id"] for one in exchange.of_type("result") if one["status"] == "changed"] == [
        "undo:unit:on.service", f"undo:file:{root}/late", "undo:unit:off.service", "agent",
    ]  # fmt: skip
    assert {name: (one["ActiveState"], one["UnitFileState"]) for name, one in host.state["units"].items()} == {
        "off.service": ("active", "enabled"),
        "on.service": ("inactive", "disabled"),
    }


def test_a_daemon_whose_file_comes_back_is_restarted(session: Session, host: FakeHost, root: Path) -> None:
    (root / "conf").write_text("original\n")
    host.unit("d.service", active="active", enabled="enabled")
    conf = wire(File(str(root / "conf"), content("new\n")))
    session.apply([conf, wire(Unit("d.service", restart_on=(conf["id"],)))])
    host.calls()
    deprovision(session)
    assert ["systemctl", "restart", "d.service"] in host.calls()


def test_packages_that_a_run_brought_go_with_their_dependencies(session: Session, host: FakeHost) -> None:
    host.update(installed=["old"], available={"new": ["dependency"], "old": []})
    session.apply([wire(Package(("new", "old")))])
    assert host.state["installed"] == ["old", "new", "dependency"]
    host.update(required={"dependency": "theirs-1-1.noarch"})
    assert list(left(deprovision(session)).values()) == ["dependency is needed by theirs-1-1.noarch"]
    assert host.state["installed"] == ["old", "dependency"]
    host.update(required={})
    assert left(deprovision(session)) == {}
    assert host.state["installed"] == ["old"]


def test_an_upgraded_package_is_told_and_a_removed_one_comes_back(session: Session, host: FakeHost) -> None:
    host.update(installed=["base", "unwanted"], available={"new": ["base"], "unwanted": []})
    session.apply([wire(Package(("unwanted",), state="absent")), wire(Package(("new",)))])
    assert host.state["installed"] == ["base", "new"]
    done = deprovision(session)
    assert list(left(done).values()) == ["it upgraded base, which is left so"]
    assert sorted(host.state["installed"]) == ["base", "unwanted"]
    assert not session.home.exists()


def test_running_containers_stand_against_it(session: Session, host: FakeHost, root: Path) -> None:
    client = host.bin / "engine"
    client.write_text(f'#!/bin/sh\n[ "$1" = ps ] && cat {root}/running || : > {root}/running\n')
    client.chmod(0o755)
    (root / "running").write_text("0123456789abcdef\n")
    host.unit("e.service")
    session.apply([wire(Unit("e.service", active=True))])
    clients = {"e.service": str(client), "other.service": "false"}
    exchange = session.run("apply", [], undo={"what": "deprovision", "clients": clients})
    assert exchange.one("plan")["errors"][0]["error"]["brief"] == "a container runs here: 0123456789ab"
    assert host.state["units"]["e.service"]["ActiveState"] == "active"
    assert left(deprovision(session, clients=clients, force=True)) == {}
    assert (root / "running").read_text() == ""
    assert host.state["units"]["e.service"]["ActiveState"] == "inactive"


def test_a_command_is_told_and_holds_nothing_up(session: Session) -> None:
    session.apply([wire(Command("c", ("true",)))])
    assert left(deprovision(session)) == {"command:c": "it was run, and what it did beside is not known"}
    assert not session.home.exists()


def test_the_bootstraps_python_is_told_and_left(session: Session, root: Path) -> None:
    session.apply([wire(File(str(root / "x"), content("x")))], python=True)
    assert list(left(deprovision(session))) == ["python:python3"]
    assert not session.home.exists()


def test_no_text_of_a_secret_is_kept_or_shown(session: Session, root: Path) -> None:
    session.apply([wire(File(str(root / "s"), content("hunter2\n"), mode="0600", secret=True))])
    ledger = (session.home / "ledger.jsonl").read_text()
    assert "hunter" not in ledger
    assert content("hunter2\n").sha256 not in ledger
    exchange = session.run("apply", [], undo={"what": "deprovision", "clients": {}})
    assert "hunter" not in json.dumps(exchange.messages)
    assert not (root / "s").exists()


def test_a_run_without_changes_leaves_the_ledger_alone(session: Session, root: Path) -> None:
    session.apply(resources(root, "one"))
    ledger = session.home / "ledger.jsonl"
    before = ledger.stat().st_mtime_ns
    ledger.chmod(0o000)
    session.apply(resources(root, "one"))
    assert ledger.stat().st_mtime_ns == before


def test_half_a_line_counts_for_nothing(session: Session, root: Path) -> None:
    before = prepare(root)
    session.apply(resources(root, "one"))
    with (session.home / "ledger.jsonl").open("a") as stream:
        stream.write('{"kind": "file", "na')
    session.apply(resources(root, "two"))
    assert left(deprovision(session)) == {}
    assert tree(root) == before


@pytest.mark.parametrize("at", [*range(1, 30, 4), 45, 60, 80, 100, 130, 160])
def test_killed_anywhere_in_a_run_the_original_comes_back(session: Session, root: Path, at: int) -> None:
    before = prepare(root)
    session.trap = at
    session.run("apply", resources(root, "one"))
    session.trap = None
    done = deprovision(session)
    assert (done["failed"], left(done)) == (0, {})
    assert tree(root) == before
    assert not session.home.exists()


@pytest.mark.parametrize("at", [*range(1, 40, 3), 50, 60])
def test_killed_anywhere_in_a_deprovision_the_next_one_ends_it(session: Session, root: Path, at: int) -> None:
    before = prepare(root)
    session.apply(resources(root, "one"))
    session.apply(resources(root, "two"))
    session.trap = at
    session.run("apply", [], undo={"what": "deprovision", "clients": {}})
    session.trap = None
    done = deprovision(session)
    assert (done["failed"], left(done)) == (0, {})
    assert tree(root) == before
    assert not session.home.exists()
    assert [name for name in os.listdir(session.home.parent) if name.startswith(".skiff-tmp")] == []
