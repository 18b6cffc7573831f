"""A JSON file is merged into, and what is not ours is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleet.resources import JsonFile
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import wire


def test_merges_at_the_top_and_keeps_order_and_indentation(session: Session, root: Path) -> None:
    path = root / "daemon.json"
    path.write_text('{\n    "theirs": {"b": 1, "a": 2},\n    "debug": false,\n    "gone": 1\n}\n')
    path.chmod(0o644)
    wanted = [wire(JsonFile(str(path), {"debug": True, "labels": ["x"]}, remove=("gone", "never-there")))]
    plan, results, _ = session.apply(wanted)
    assert plan["changes"][0]["summary"].endswith(": debug, gone, labels")
    text = path.read_text()
    assert list(json.loads(text)) == ["theirs", "debug", "labels"]
    assert text.startswith('{\n    "theirs": {\n        "b": 1')
    assert Path(results[0]["backup"]).exists()
    assert session.check(wanted)["changes"] == []


def test_other_formatting_is_no_difference(session: Session, root: Path) -> None:
    (root / "j").write_text('{"a":1,\n\n "b":[1,2]}')
    (root / "j").chmod(0o644)
    assert session.check([wire(JsonFile(str(root / "j"), {"b": [1, 2]}))])["changes"] == []


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        ("{broken", "is not JSON; it was kept"),
        ("[1]", "is not a JSON object; it was kept"),
        ('{"a": 1, "a": 2}', "is not JSON; it was kept"),
        ("\xff", "is not JSON; it was kept"),
        ("[" * 100000, "is not JSON; it was kept"),
    ],
)
def test_a_broken_file_is_kept(session: Session, root: Path, text: str, brief: str) -> None:
    path = root / "j"
    path.write_bytes(text.encode("latin-1"))
    _, results, done = session.apply([wire(JsonFile(str(path), {"a": 1}))])
    assert results[0]["error"]["brief"] == f"{path} {brief}"
    assert done["failed"] == 1
    assert path.read_bytes() == text.encode("latin-1")


def test_an_empty_file_is_an_empty_object(session: Session, root: Path) -> None:
    (root / "j").write_text("\n")
    session.apply([wire(JsonFile(str(root / "j"), {}))])
    assert (root / "j").read_text() == "{}\n"


def test_half_a_surrogate_pair_on_the_host_ends_no_run(session: Session, root: Path) -> None:
    (root / "j").write_text('{"\\ud800": 1, "a": 2}')
    plan, results, done = session.apply([wire(JsonFile(str(root / "j"), {"a": 3}))])
    assert (plan["errors"] or results)[0]["error"] is not None
    assert done["failed"] == 1


def test_a_pipe_in_its_place_holds_nobody_up(session: Session, root: Path) -> None:
    os.mkfifo(root / "j")
    (error,) = session.check([wire(JsonFile(str(root / "j"), {"a": 3}))])["errors"]
    assert error["error"]["brief"] == f"{root}/j is a pipe, not a file"
