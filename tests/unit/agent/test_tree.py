"""Directories and links."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fleet.resources import Directory, File, Link
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import content, wire


def test_directory_is_made_corrected_and_removed(session: Session, root: Path) -> None:
    path = root / "d"
    session.apply([wire(Directory(str(path), mode="0750"))])
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    plan, _, _ = session.apply([wire(Directory(str(path), mode="0700"))])
    assert plan["changes"][0]["diff"] == f"{path} mode: 0750 -> 0700\n"
    (path / "sub").mkdir()
    (path / "sub" / "x").write_text("")
    session.apply([wire(Directory(str(path), state="absent"))])
    assert os.listdir(root) == []


def test_directory_that_is_a_link_is_taken_as_it_is(session: Session, root: Path) -> None:
    (root / "real").mkdir(mode=0o755)
    (root / "d").symlink_to("real")
    assert session.check([wire(Directory(str(root / "d")))])["changes"] == []


def test_directory_refuses_what_it_must_not_replace_or_remove(session: Session, root: Path) -> None:
    (root / "file").write_text("")
    plan = session.check([
        wire(Directory(str(root / "file"))),
        wire(Directory("/", state="absent")),
        wire(Directory("/proc", state="absent")),
        wire(Directory(str(root / "file"), mode="0700", state="absent"), role="other"),
    ])  # fmt: skip
    briefs = [error["error"]["brief"] for error in plan["errors"]]
    assert "the root directory is not removed" in briefs
    assert any(brief.startswith("/proc is not removed while /proc") for brief in briefs)
    assert f"{root}/file is not a directory" in briefs


def test_link_is_made_swapped_and_removed(session: Session, root: Path) -> None:
    link = root / "current"
    session.apply([wire(Link(str(link), "v1"))])
    plan, _, _ = session.apply([wire(Link(str(link), "v2"))])
    assert plan["changes"][0]["diff"] == f"{link}: v1 -> v2\n"
    assert os.readlink(link) == "v2"
    session.apply([wire(Link(str(link), "v2", state="absent"))])
    assert not link.is_symlink()


def test_link_keeps_the_file_that_it_replaces(session: Session, root: Path) -> None:
    (root / "x").write_text("precious\n")
    _, results, _ = session.apply([wire(Link(str(root / "x"), "elsewhere"))])
    assert Path(results[0]["backup"]).read_text() == "precious\n"


def test_link_never_replaces_a_directory(session: Session, root: Path) -> None:
    (root / "d").mkdir()
    (error,) = session.check([wire(Link(str(root / "d"), "x"))])["errors"]
    assert error["error"]["brief"] == f"{root}/d is a directory, not a link"


def test_what_goes_and_what_comes_in_one_run_is_foreseen(session: Session, root: Path) -> None:
    (root / "old").mkdir()
    (root / "old" / "x").write_text("")
    resources = [
        wire(Directory(str(root / "old"), state="absent")),
        wire(Directory(str(root / "new"))),
        wire(Directory(str(root / "new" / "deep"))),
        wire(File(str(root / "new" / "deep" / "x"), content("x"))),
        wire(File(str(root / "old" / "x"), state="absent")),
    ]
    plan, results, done = session.apply(resources)
    planned = [change["id"] for change in plan["changes"]]
    assert planned == [result["id"] for result in results if result["status"] == "changed"]
    assert len(planned) == 4
    assert done["failed"] == 0
