"""Copies of what runs replaced: listed, brought back by path, run or all since, refused where somebody else was, and pruned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.agent.ledger import Ledger
from fleet.agent.prune import prune
from fleet.agent.state import State
from fleet.resources import File, JsonFile, Link, Unit
from tests.unit.agent.driver import Exchange, Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire


def restore(session: Session, mode: str = "apply", **request: Any) -> Exchange:
    undo = {"what": "restore", "path": "", "run": "", "since": "", "force": False, **request}
    return session.run(mode, [], undo=undo, run=request.pop("name", "2-restore"))


def write(session: Session, run: str, path: Path, text: str) -> None:
    session.apply([wire(File(str(path), content(text)))], run=run)


def copies(session: Session) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = session.run("check", [], undo={"what": "copies"}).one("copies")["copies"]
    return found


@pytest.fixture
def path(session: Session, root: Path) -> Path:
    """A file of the host's own that three runs changed."""
    path = root / "x"
    path.write_text("0\n")
    path.chmod(0o600)
    for run in "abc":
        write(session, f"1-{run}", path, f"{run}\n")
    return path


def test_the_list(session: Session, path: Path) -> None:
    found = [(one["run"], one["path"], one["mode"], one["original"]) for one in copies(session)]
    assert found == [
        ("1-c", str(path), "0644", False),
        ("1-b", str(path), "0644", False),
        ("1-a", str(path), "0600", True),
    ]


def test_the_list_of_a_host_that_skiff_never_saw(session: Session) -> None:
    assert copies(session) == []
    assert not session.home.exists()


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"path": "PATH"}, "b\n"),
        ({"run": "1-b"}, "a\n"),
        ({"run": "1-a"}, "0\n"),
        ({"since": "1-b"}, "a\n"),
        ({"since": "1-a"}, "0\n"),
    ],
)
def test_what_comes_back(session: Session, path: Path, request_: Dict[str, str], text: str) -> None:
    asked = {key: str(path) if value == "PATH" else value for key, value in request_.items()}
    plan = restore(session, "check", **asked).one("plan")
    assert path.read_text() == "c\n"
    assert f"-c\n+{text}" in plan["changes"][0]["diff"]
    restore(session, **asked)
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == (0o600 if text == "0\n" else 0o644)


def test_what_is_not_kept_is_told(session: Session, path: Path) -> None:
    (left,) = restore(session, path="/no/such").one("done")["left"]
    assert (left["id"], left["why"]) == ("/no/such", "this host keeps no copy that this means")


def test_a_restore_can_be_restored(session: Session, path: Path) -> None:
    restore(session, since="1-a")
    restore(session, run="2-restore", name="3-restore")
    assert path.read_text() == "c\n"


def test_what_somebody_else_changed_is_refused(session: Session, path: Path) -> None:
    path.write_text("theirs\n")
    exchange = restore(session, path=str(path))
    error = exchange.one("plan")["errors"][0]["error"]
    assert "changed since by somebody else" in error["brief"]
    assert "--force" in error["resolution"]
    assert path.read_text() == "theirs\n"
    restore(session, path=str(path), force=True)
    assert path.read_text() == "b\n"
    restore(session, path=str(path), name="4-restore")
    assert path.read_text() == "theirs\n"


def test_a_removed_file_and_a_replaced_link_come_back(session: Session, root: Path) -> None:
    (root / "gone").write_text("precious\n")
    (root / "l").symlink_to("old")
    session.apply([wire(File(str(root / "gone"), state="absent")), wire(Link(str(root / "l"), "new"))])
    restore(session, run="run-1")
    assert (root / "gone").read_text() == "precious\n"
    assert os.readlink(root / "l") == "old"


def test_a_validator_keeps_what_is_there(session: Session, path: Path) -> None:
    session.apply([wire(File(str(path), content("d\n"), validate=("grep", "d", "{}")))], run="1-d")
    exchange = restore(session, path=str(path))
    assert exchange.one("result")["error"]["brief"].endswith("is not valid any more; what is there was kept")
    assert path.read_text() == "d\n"


def test_what_a_validator_says_of_a_secret_is_not_shown(session: Session, root: Path) -> None:
    path, says = str(root / "s"), ("sh", "-c", 'cat "$0"; grep -q second "$0"', "{}")
    session.apply([wire(File(path, content("swordfish\n"), mode="0600", secret=True))], run="1-a")
    session.apply([wire(File(path, content("second\n"), mode="0600", secret=True, validate=says))], run="1-b")
    exchange = restore(session, run="1-b")
    assert exchange.one("result")["error"]["brief"].endswith("is not valid any more; what is there was kept")
    assert "swordfish" not in json.dumps(exchange.messages)


@pytest.mark.parametrize(("key", "verb"), [("debug", "reload"), ("hosts", "restart")])
def test_a_daemon_is_reloaded_or_restarted_as_by_provision(
    session: Session, host: FakeHost, root: Path, key: str, verb: str
) -> None:
    host.unit("d.service", active="active", enabled="enabled")

    def run(name: str, value: int) -> None:
        file = JsonFile(str(root / "j"), {key: value}, reloadable=("debug",))
        unit = Unit("d.service", restart_on=(file.restart_id,), reload_on=(file.id,))
        session.apply([wire(file), wire(unit)], run=name)

    run("1-a", 1)
    run("1-b", 2)
    host.calls()
    restore(session, run="1-b")
    verbs = [call[1] for call in host.calls() if call[0] == "systemctl" and call[1] in ("reload", "restart")]
    assert verbs == [verb]


@pytest.mark.parametrize("what", ["restore", "deprovision"])
def test_a_json_files_passwords_are_not_shown_on_the_way_back(session: Session, root: Path, what: str) -> None:
    path = root / "j"
    path.write_text('{"proxies": {"http-proxy": "http://me:hunter2@proxy"}, "api_key": "hunter2", "debug": false}')
    session.apply([wire(JsonFile(str(path), {"debug": True, "proxies": {}}, remove=("api_key",)))], run="1-a")
    request = {"what": what, "path": "", "run": "1-a", "since": "", "force": False, "purge": False, "clients": {}}
    exchange = session.run("apply", [], undo=request)
    said = json.dumps(exchange.messages)
    assert "hunter2" not in said
    assert "debug" in said
    assert "hunter2" in path.read_text()


def test_a_secret_file_comes_back_and_nothing_of_it_is_shown(session: Session, root: Path) -> None:
    path, texts = root / "s", ("swordfish\n", "second secret\n")
    for run, text, mode in (("1-a", texts[0], "0600"), ("1-b", texts[1], "0640")):
        session.apply([wire(File(str(path), content(text), mode=mode, secret=True, shared=True))], run=run)
    exchange = restore(session, path=str(path))
    assert (path.read_text(), f"{path.stat().st_mode & 0o777:o}") == (texts[0], "600")
    (change,) = exchange.one("plan")["changes"]
    assert change["diff"] == f"{path} mode: 0640 -> 0600\n{path}: content not shown\n"
    said = json.dumps(exchange.messages) + json.dumps(copies(session))
    kept = "".join(one.read_text() for one in session.home.rglob("*.json*"))
    for text in texts:
        for telling in (text.strip(), content(text).sha256):
            assert telling not in said + kept


def test_a_secret_files_copy_is_roots_alone_whatever_takes_its_place(session: Session, root: Path) -> None:
    path = root / "s"
    path.write_text("old\n")
    path.chmod(0o644)
    session.apply([wire(File(str(path), content("swordfish\n"), mode="0640", secret=True, shared=True))], run="1-a")
    restore(session, run="1-a", name="2-back")
    kept = [one for one in (session.home / "backup").rglob("s") if one.read_text() == "swordfish\n"]
    assert [oct(one.stat().st_mode & 0o777) for one in kept] == ["0o600"]


def test_a_restore_that_was_cut_still_restarts(session: Session, host: FakeHost, root: Path) -> None:
    host.unit("d.service", active="active", enabled="enabled")
    for name, text in (("1-a", "a"), ("1-b", "b")):
        file = wire(File(str(root / "x"), content(text)))
        session.apply([file, wire(Unit("d.service", restart_on=(file["id"],)))], run=name)

    def kill(exchange: Exchange, message: Any) -> None:
        if message["type"] == "result":
            exchange.process.kill()

    host.calls()
    undo = {"what": "restore", "path": "", "run": "1-b", "since": "", "force": False}
    session.run("apply", [], on_message=kill, undo=undo)
    restore(session, run="1-b")
    assert (root / "x").read_text() == "a"
    assert ["systemctl", "restart", "d.service"] in host.calls()


@pytest.mark.parametrize("at", [2, 5, 8, 11, 14])
def test_killed_anywhere_the_next_restore_ends_it(session: Session, path: Path, at: int) -> None:
    session.trap = at
    restore(session, since="1-a")
    session.trap = None
    assert path.read_text() in ("0\n", "c\n")
    restore(session, since="1-a", name="3-restore")
    assert path.read_text() == "0\n"
    assert sorted(os.listdir(path.parent)) == ["x"]


def test_old_copies_go_and_the_original_never(session: Session, path: Path) -> None:
    for number in range(5):
        write(session, f"5-{number}", path, f"later {number}\n")
    state = State(str(session.home))
    prune(state, Ledger(state, "", []), most=2)
    assert [one["run"] for one in copies(session)] == ["5-4", "5-3", "1-a"]
    assert sorted(os.listdir(session.home / "backup")) == ["1-a", "5-3", "5-4"]
    prune(state, Ledger(state, "", []), oldest=-10.0)
    assert [one["run"] for one in copies(session)] == ["1-a"]
    restore(session, run="1-a")
    assert path.read_text() == "0\n"


def test_the_newest_runs_are_those_that_were_last_whatever_the_clock_of_their_names(session: Session, path: Path) -> None:
    for run in ("9-tokyo", "3-utc", "2-lima"):
        write(session, run, path, f"{run}\n")
    state = State(str(session.home))
    prune(state, Ledger(state, "", []), most=2)
    assert [one["run"] for one in copies(session)] == ["2-lima", "3-utc", "1-a"]


def test_whom_runs_put_into_a_group_is_remembered_however_old_they_are(tmp_path: Path) -> None:
    state = State(str(tmp_path / "state"))
    for number, member in enumerate(("alice", "bob", "carol", "dave")):
        ledger = Ledger(state, f"1-{number}", [])
        ledger.in_hand = {"id": "group:docker", "role": "r"}
        ledger.enter("group", "docker", ["docker", "x", "9", ""], ours={"members": [member], "gid": None})
    prune(state, Ledger(state, "", []), most=1)
    (place,) = Ledger(state, "", []).places()
    assert [one["ours"]["members"] for one in place.entries] == [["alice"], ["bob"], ["carol"], ["dave"]]


def test_copies_that_no_entry_names_go(session: Session, path: Path) -> None:
    for run in ("1-stray", "0-before-there-was-a-ledger"):
        (session.home / "backup" / run).mkdir()
        (session.home / "backup" / run / "x").write_text("cut before it was entered\n")
    write(session, "6-a", path, "next\n")
    assert not (session.home / "backup" / "1-stray").exists()
    assert (session.home / "backup" / "0-before-there-was-a-ledger" / "x").exists()
    assert len(copies(session)) == 4
