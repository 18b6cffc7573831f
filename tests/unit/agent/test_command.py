"""Commands, handlers, and what a broken run still owes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List

from fleet.resources import Command, File
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import content, handler, wire


def appends(root: Path, name: str, **fields: Any) -> Command:
    return Command(name, ("sh", "-c", f"echo {name} >> {root}/log"), **fields)


def log(root: Path) -> List[str]:
    return (root / "log").read_text().split() if (root / "log").exists() else []


def test_guards(session: Session, root: Path) -> None:
    resources = [
        wire(appends(root, "always")),
        wire(appends(root, "unless-true", unless=("true",))),
        wire(appends(root, "unless-false", unless=("false",))),
        wire(appends(root, "unless-missing", unless=("no-such-program",))),
        wire(appends(root, "creates", creates=str(root / "log"))),
    ]
    plan, results, _ = session.apply(resources)
    assert [change["id"] for change in plan["changes"]] == [
        "command:always", "command:unless-false", "command:unless-missing", "command:creates",
    ]  # fmt: skip
    assert log(root) == ["always", "unless-false", "unless-missing"]
    assert results[-1]["status"] == "ok"


def test_on_change_runs_only_then(session: Session, root: Path) -> None:
    def resources(text: str) -> List[Dict[str, Any]]:
        path = str(root / "x")
        return [wire(File(path, content(text))), wire(appends(root, "follows", on_change=(f"file:{path}",)))]

    session.apply(resources("1"))
    session.apply(resources("1"))
    assert log(root) == ["follows"]
    plan, _, _ = session.apply(resources("2"))
    assert plan["changes"][1]["summary"].endswith(f", since file:{root}/x changed")
    assert log(root) == ["follows", "follows"]


def test_handlers_run_once_at_their_roles_end(session: Session, root: Path) -> None:
    names = ["x", "y", "z"]
    files = [wire(File(str(root / name), content("1"))) for name in names[:2]]
    other = wire(File(str(root / "z"), content("1")), role="other")
    handlers = [
        handler(appends(root, "both"), [f"file:{root}/x", f"file:{root}/y"]),
        handler(appends(root, "never"), ["file:/none"]),
    ]
    resources = [files[0], *handlers, files[1], wire(appends(root, "last")), other]
    plan, results, _ = session.apply(resources)
    assert [result["id"].partition(":")[2].rpartition("/")[2] for result in results] == ["x", "y", "last", "both", "never", "z"]
    assert log(root) == ["last", "both"]
    assert [change["handler"] for change in plan["changes"]] == [False, False, False, True, False]


def test_a_failing_command_ends_the_run(session: Session, root: Path) -> None:
    failing = Command("bad", ("sh", "-c", "echo first; echo why >&2; exit 7"))
    _, results, done = session.apply([wire(failing), wire(appends(root, "next"))])
    assert results[0]["error"]["brief"] == "bad failed"
    assert results[0]["error"]["details"].endswith("exited with status 7\nfirst\nwhy")
    assert results[1]["status"] == "skipped"
    assert (done["failed"], done["skipped"]) == (1, 1)
    assert log(root) == []


def test_a_command_that_hangs_is_ended(session: Session, root: Path) -> None:
    _, results, _ = session.apply([wire(Command("slow", ("sleep", "60"), timeout=0.2))])
    assert results[0]["error"]["brief"] == "slow did not end within 0.2 seconds"


def test_a_child_left_running_holds_nobody_up(session: Session, root: Path) -> None:
    _, results, done = session.apply([wire(Command("leaves", ("sh", "-c", "sleep 20 & echo $! > " + str(root / "pid"))))])
    assert done["changed"] == 1
    assert results[0]["seconds"] < 20
    Path(f"/proc/{(root / 'pid').read_text().strip()}/cmdline").read_bytes()
    os.kill(int((root / "pid").read_text()), 9)


def test_a_handler_owed_by_a_failed_run_runs_in_the_next(session: Session, root: Path) -> None:
    path = str(root / "x")
    file = wire(File(path, content("1")))
    owed = handler(appends(root, "owed"), [f"file:{path}"])
    session.apply([file, wire(Command("bad", ("false",))), owed])
    assert log(root) == []
    assert json.loads((session.home / "pending.json").read_text()) == {"command:owed": [f"file:{path}"]}
    plan = session.check([file, owed])
    assert [change["id"] for change in plan["changes"]] == ["command:owed"]
    session.apply([file, owed])
    session.apply([file, owed])
    assert log(root) == ["owed"]
    assert json.loads((session.home / "pending.json").read_text()) == {}


def test_a_debt_of_a_role_that_is_not_selected_is_kept(session: Session, root: Path) -> None:
    file = wire(File(str(root / "x"), content("1")))
    owed = handler(appends(root, "owed"), [f"file:{root}/x"])
    session.apply([file, wire(Command("bad", ("false",))), owed])
    session.apply([wire(appends(root, "unrelated"))])
    session.apply([file, owed])
    assert log(root) == ["unrelated", "owed"]
