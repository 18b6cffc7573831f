"""What a run without changes costs a host: a fixed, small number of programs, however many resources there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from fleet.resources import Command, File, Package, Unit
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, handler, wire


def many(root: Path, host: FakeHost) -> List[Dict[str, Any]]:
    resources: List[Dict[str, Any]] = []
    for number in range(6):
        host.unit(f"u{number}.service", active="active", enabled="enabled")
        resources.append(wire(File(str(root / str(number)), content("x"))))
        resources.append(wire(Package((f"p{number}", f"q{number}"))))
        resources.append(wire(Unit(f"u{number}.service", enabled=True, active=True, restart_on=(f"file:{root}/{number}",))))
        resources.append(handler(Command(f"h{number}", ("false",)), [f"file:{root}/none"]))
    return resources


def test_three_programs_for_twenty_four_resources(session: Session, host: FakeHost, root: Path) -> None:
    host.update(installed=[f"{letter}{number}" for letter in "pq" for number in range(6)])
    resources = many(root, host)
    session.apply(resources)
    host.calls()
    _, results, done = session.apply(resources)
    calls = host.calls()
    assert [call[:2] for call in calls] == [["rpm", "-q"], ["systemctl", "show"], ["systemctl", "is-enabled"]]
    assert {result["status"] for result in results} == {"ok"}
    assert done["changed"] == 0


def test_nothing_is_written_but_the_record(session: Session, host: FakeHost, root: Path) -> None:
    resources = [wire(File(str(root / "x"), content("x")))]
    session.apply(resources)

    def seen() -> Dict[str, int]:
        found = [*session.home.rglob("*"), *root.rglob("*")]
        return {str(path): path.lstat().st_mtime_ns for path in found if path.name != "last-run.json" and path != session.home}

    before = seen()
    session.apply(resources)
    assert seen() == before
