"""What a saved plan is held against: a fingerprint of every change, of every kind, that moves as its host does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, get_args

import pytest

from fleet.agent import document, fingerprint
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.content import Content
from fleet.resources import Command, Directory, File, JsonFile, Link, Resource
from tests.unit.agent.driver import Exchange, Session
from tests.unit.agent.wanted import content, handler, wire

ROW = ["maker", "x", "1000", "1000", "", "/home/maker", "/bin/sh"]


class Seen:
    """A host's accounts and units, as far as a fingerprint asks."""

    def __init__(self) -> None:
        self.accounts = self.units = self
        self.row: List[str] = list(ROW)
        self.state = {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled", "Result": "success"}

    def user(self, _: str) -> List[str]:
        return self.row

    group = user

    def properties(self, _: str) -> Dict[str, str]:
        return self.state


@pytest.fixture
def place(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a resource of any kind keeps."""
    for kind in fingerprint.KEPT:
        monkeypatch.setitem(fingerprint.KEPT, kind, str(root / "kept"))
    (root / "kept").write_text("old")
    return root / "kept"


def of(want: Mapping[str, Any], seen: Seen, change: Change) -> str:
    return fingerprint.of({"id": "x", "name": "x", **want}, change, seen)  # type: ignore[arg-type] # as far as it asks


def changed(**fields: Any) -> Change:
    found = Change("update", "update x", "x: old -> new\n")
    vars(found).update(fields)
    return found


Move = Callable[[Path, Seen], object]


def relinked(path: Path, _: Seen) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


def refilled(path: Path, _: Seen) -> None:
    path.unlink()
    path.mkdir()
    (path / "stray").write_text("")


FILE: List[Move] = [
    lambda path, _: path.write_text("new"),
    lambda path, _: path.chmod(0o600),
    lambda path, _: path.unlink(),
    relinked,
]
MOVES: Dict[str, List[Move]] = {
    **dict.fromkeys(("file", "json", "repository", "module", "sysctl", "selinux"), FILE),
    "link": FILE,
    "directory": [refilled, lambda path, _: path.chmod(0o700)],
    "archive": [refilled],
    "unit": [lambda _, seen: seen.state.update(ActiveState="active"), lambda _, seen: seen.state.update(UnitFileState="enabled")],
    "departure": [lambda _, seen: seen.state.update(ActiveState="active")],
    "user": [lambda _, seen: seen.row.__setitem__(6, "/bin/false")],
    "group": [lambda _, seen: seen.row.__setitem__(2, "1001")],
    "package": [],
    "images": [],
    "succession": [],
    "versions": [],
    "command": [],
}


def test_every_kind_that_a_role_may_declare_is_here() -> None:
    # A template is a file by the time it is sent.
    assert set(MOVES) == {kind.kind for kind in get_args(Resource)} - {"template"}


@pytest.mark.parametrize(("kind", "move"), [(kind, move) for kind, moves in MOVES.items() for move in moves])
def test_it_moves_with_the_state_that_a_change_starts_from(kind: str, move: Move, place: Path) -> None:
    seen, want = Seen(), {"kind": kind, "path": str(place)}
    before = of(want, seen, changed())
    assert of(want, seen, changed()) == before
    move(place, seen)
    assert of(want, seen, changed()) != before


@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize(
    "fields", [{"action": "create"}, {"summary": "update y"}, {"diff": "x: older -> new\n"}, {"steps": ["one"]}, {"also": ["y"]}]
)
def test_it_moves_with_what_would_be_done(kind: str, fields: Dict[str, Any], place: Path) -> None:
    want = {"kind": kind, "path": str(place)}
    counts = kind != "departure" or "diff" not in fields
    assert (of(want, Seen(), changed(**fields)) != of(want, Seen(), changed())) is counts


def test_how_long_containers_are_up_does_not_count() -> None:
    first, second = (
        of({"kind": "departure"}, Seen(), changed(diff=f"container x: Up {hours} hours -> stopped")) for hours in (1, 2)
    )
    assert first == second


def test_what_lies_in_a_directory_counts_where_it_is_to_go(root: Path) -> None:
    want, removal = {"kind": "directory", "path": str(root)}, {"action": "remove"}
    before = of(want, Seen(), changed(**removal))
    (root / "new").write_text("")
    os.utime(root, (0, 0))
    assert of(want, Seen(), changed(**removal)) != before


def test_passwords_and_units_results_do_not_count(place: Path) -> None:
    for kind in ("user", "unit"):
        seen = Seen()
        before = of({"kind": kind}, seen, changed())
        seen.row[1] = "$6$hash"
        seen.state["Result"] = "exit-code"
        assert of({"kind": kind}, seen, changed()) == before


@pytest.mark.parametrize("kind", ["file", "json", "repository"])
def test_a_secret_files_bytes_are_never_digested(place: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> str:
        raise AssertionError

    monkeypatch.setattr(document, "digest", refuse)
    want = {"kind": kind, "path": str(place), "secret": True}
    before = of(want, Seen(), changed(diff="one"))
    assert of(want, Seen(), changed(diff="another")) == before
    place.write_text("other")
    os.utime(place, ns=(0, 0))
    assert of(want, Seen(), changed(diff="one")) != before


def expected(session: Session, resources: List[Dict[str, Any]]) -> Dict[str, str]:
    return {change["id"]: change["fingerprint"] for change in session.check(resources)["changes"]}


def several(root: Path) -> List[Dict[str, Any]]:
    return [
        wire(Directory(str(root / "d"))),
        wire(File(str(root / "d" / "f"), content("new\n"))),
        wire(JsonFile(str(root / "j"), {"a": 1})),
        wire(Link(str(root / "l"), "d")),
        handler(Command("h", ("touch", str(root / "handled"))), [f"file:{root}/d/f"]),
    ]


def whys(exchange: Exchange) -> Dict[str, str]:
    return {one["id"]: one["why"] for one in exchange.one("moved")["resources"]}


def test_an_unmoved_host_is_brought_to_the_plan(session: Session, root: Path) -> None:
    expect = expected(session, several(root))
    assert len(expect) == 5
    _, results, done = session.apply(several(root), expect=expect)
    assert [one["status"] for one in results] == ["changed"] * 5
    assert done["changed"] == 5
    assert (root / "handled").exists()


def test_done_already_counts_as_moved(session: Session, root: Path) -> None:
    expect = expected(session, several(root))
    session.apply(several(root))
    exchange = session.run("apply", several(root), expect=expect)
    assert set(whys(exchange).values()) == {"met"}
    assert (exchange.of_type("plan"), exchange.of_type("result"), exchange.one("done")["changed"]) == ([], [], 0)


def test_what_moved_is_named_and_nothing_is_touched(session: Session, root: Path) -> None:
    (root / "j").write_text('{"a": 1}\n')
    (root / "j").chmod(0o644)
    expect = expected(session, several(root))
    (root / "j").write_text("{}")
    (root / "l").write_text("in the way")
    (root / "d").mkdir(mode=0o755)
    exchange = session.run("apply", several(root), expect=expect)
    assert whys(exchange) == {f"directory:{root}/d": "met", f"file:{root}/j": "new", f"link:{root}/l": "differs"}
    assert os.listdir(root / "d") == []
    assert (root / "l").read_text() == "in the way"


def test_what_can_no_longer_be_checked_is_named(session: Session, root: Path) -> None:
    expect = expected(session, several(root))
    (root / "l").mkdir()
    assert whys(session.run("apply", several(root), expect=expect)) == {f"link:{root}/l": "unknown"}


def test_a_host_as_declared_when_planned_is_refused_once_it_drifts(session: Session, root: Path) -> None:
    session.apply(several(root))
    assert expected(session, several(root)) == {}
    assert session.apply(several(root), expect={})[2]["changed"] == 0
    (root / "j").unlink()
    assert whys(session.run("apply", several(root), expect={})) == {f"file:{root}/j": "new"}


def test_a_change_that_turns_up_on_the_way_is_not_made(session: Session, root: Path) -> None:
    (root / "f").write_text("kept\n")
    (root / "f").chmod(0o644)
    resources = [wire(Command("c", ("sh", "-c", f"echo other > {root}/f"))), wire(File(str(root / "f"), content("kept\n")))]
    _, results, _ = session.apply(resources, expect=expected(session, resources))
    assert [one["status"] for one in results] == ["changed", "failed"]
    assert "not in the plan" in results[1]["error"]["brief"]
    assert (root / "f").read_text() == "other\n"


def test_no_contents_are_asked_for_before_the_host_is_found_unmoved(session: Session, root: Path) -> None:
    resources = [wire(File(str(root / "f"), content("x")))]
    exchange = session.run("apply", resources, expect={})
    assert (exchange.of_type("need"), whys(exchange)) == ([], {f"file:{root}/f": "new"})


def test_an_error_tells_the_end_of_what_a_program_said() -> None:
    told = AgentError("x", "a" * 100_000 + "the end").to_wire()["details"]
    assert told.endswith("the end")
    assert len(told) == 8192


def test_a_plan_always_fits_into_a_message(session: Session, root: Path) -> None:
    """Control characters take six bytes each: forty diffs, each cut at its own bound, would take more than a frame has."""
    text = Content.of((b"\x01" * 99 + b"\n") * 1000)
    changes = session.check([wire(File(str(root / str(number)), text)) for number in range(45)])["changes"]
    assert all(len(change["diff"]) < 70_000 for change in changes)
    assert "more characters" in changes[0]["diff"]
    assert "not shown: the plan's differences take more than 8 MiB" in changes[-1]["diff"]
    assert changes[-1]["summary"] == f"create {root}/44"
