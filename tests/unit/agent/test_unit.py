"""Units: the fewest verbs that bring them where they should be, judged with what comes before them in mind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.resources import File, JsonFile, Package, Unit
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire

ASKING = ("show", "is-enabled", "reset-failed")


def verbs(host: FakeHost) -> List[str]:
    return [call[1] for call in host.calls() if call[0] == "systemctl" and call[1] not in ASKING]


@pytest.mark.parametrize(
    ("state", "wanted", "expected"),
    [
        ({}, {"enabled": True, "active": True}, ["enable", "start"]),
        ({"active": "active", "enabled": "enabled"}, {"enabled": True, "active": True}, []),
        ({"active": "active", "enabled": "static"}, {"enabled": True, "active": True}, []),
        ({"active": "failed", "enabled": "enabled"}, {"active": True}, ["start"]),
        ({"active": "activating", "SubState": "auto-restart"}, {"active": True}, ["start"]),
        ({"active": "activating", "SubState": "auto-restart-queued"}, {"active": True}, ["start"]),
        (
            {"active": "active", "enabled": "enabled"},
            {"enabled": False, "active": False, "masked": True},
            ["disable", "stop", "mask"],
        ),
        ({"enabled": "masked", "LoadState": "masked"}, {"enabled": False, "active": False, "masked": True}, []),
        (
            {"enabled": "masked", "LoadState": "masked"},
            {"enabled": True, "active": True, "masked": False},
            ["unmask", "enable", "start"],
        ),
        ({"active": "active", "enabled": "enabled", "NeedDaemonReload": "yes"}, {"active": True}, ["daemon-reload"]),
        ({"active": "active", "enabled": "enabled"}, {}, []),
    ],
)
def test_verbs(session: Session, host: FakeHost, state: Dict[str, str], wanted: Dict[str, Any], expected: List[str]) -> None:
    host.unit("x.service", **state)
    resources = [wire(Unit("x.service", **wanted))]
    _, results, done = session.apply(resources)
    assert verbs(host) == expected
    assert results[0]["status"] == ("changed" if expected else "ok")
    session.apply(resources)
    assert verbs(host) == []
    assert done["failed"] == 0


def test_what_is_not_installed(session: Session, host: FakeHost) -> None:
    resources = [wire(Unit("none.service", enabled=False, active=False, masked=False)), wire(Unit("gone.service", active=True))]
    plan = session.check(resources)
    assert plan["changes"] == []
    assert plan["errors"][0]["error"]["brief"] == "there is no unit gone.service"
    session.apply([wire(Unit("none.service", masked=True))])
    assert verbs(host) == ["mask"]


def dependent(root: Path, text: str, key: int = 1, mirror: str = "a") -> List[Dict[str, Any]]:
    json_file = JsonFile(str(root / "j"), {"key": key, "mirror": mirror}, reloadable=("mirror",))
    unit = Unit("x.service", active=True, restart_on=(f"file:{root}/f", json_file.restart_id), reload_on=(json_file.id,))
    return [wire(File(str(root / "f"), content(text))), wire(json_file), wire(unit)]


def test_restart_reload_or_neither(session: Session, host: FakeHost, root: Path) -> None:
    host.unit("x.service", enabled="enabled")
    assert session.apply(dependent(root, "1"))[0]["changes"][2]["action"] == "start"
    assert verbs(host) == ["start"]
    plan, _, _ = session.apply(dependent(root, "2"))
    assert plan["changes"][1]["summary"] == f"restart x.service, since file:{root}/f changed"
    assert verbs(host) == ["restart"]
    session.apply(dependent(root, "2", mirror="b"))
    assert verbs(host) == ["reload"]
    session.apply(dependent(root, "2", key=2, mirror="c"))
    assert verbs(host) == ["restart"]
    session.apply(dependent(root, "2", key=2, mirror="c"))
    assert verbs(host) == []


def test_a_restart_owed_by_a_failed_run_is_in_the_next_plan(session: Session, host: FakeHost, root: Path) -> None:
    host.unit("x.service", active="active", enabled="enabled")
    resources = dependent(root, "1")
    host.unit("y.service")
    host.update(broken=["y.service"])
    breaks = wire(Unit("y.service", active=True))
    _, results, _ = session.apply([*resources[:2], breaks, resources[2]])
    assert results[2]["error"]["brief"] == "systemctl start y.service failed"
    assert "its last words" in results[2]["error"]["details"]
    host.calls()
    plan = session.check(resources)
    assert [change["action"] for change in plan["changes"]] == ["restart"]
    session.apply(resources)
    assert verbs(host) == ["restart"]
    assert session.check(resources)["changes"] == []


def test_a_unit_that_ends_right_after_its_start_is_a_failure(session: Session, host: FakeHost) -> None:
    host.unit("x.service")
    host.update(short_lived=["x.service"])
    _, results, _ = session.apply([wire(Unit("x.service", active=True))])
    assert results[0]["error"]["brief"] == "x.service was started and failed"
    assert "its last words" in results[0]["error"]["details"]


def test_an_inactive_unit_owes_no_restart(session: Session, host: FakeHost, root: Path) -> None:
    host.unit("x.service")
    unit = wire(Unit("x.service", restart_on=(f"file:{root}/f",)))
    session.apply([wire(File(str(root / "f"), content("1"))), unit])
    assert verbs(host) == []
    assert (session.home / "pending.json").read_text() == "{}"


def test_a_unit_that_a_package_brings(session: Session, host: FakeHost) -> None:
    host.update(available={"pkg": []})
    resources = [wire(Package(("pkg",))), wire(Unit("new.service", enabled=True, active=True))]
    plan = session.check(resources)
    assert [change["action"] for change in plan["changes"]] == ["install", "start"]
    assert plan["errors"] == []


def test_two_units_share_one_daemon_reload(session: Session, host: FakeHost) -> None:
    for name in ("a.service", "b.service"):
        host.unit(name, active="active", enabled="enabled", NeedDaemonReload="yes")
    resources = [wire(Unit("a.service", active=True)), wire(Unit("b.service", active=True))]
    plan, results, _ = session.apply(resources)
    assert [change["id"] for change in plan["changes"]] == ["unit:a.service"]
    assert [result["status"] for result in results] == ["changed", "ok"]
    assert verbs(host) == ["daemon-reload"]


def test_no_systemd(session: Session, host: FakeHost) -> None:
    (host.bin / "systemctl").write_text("#!/bin/sh\necho System has not been booted with systemd >&2; exit 1\n")
    (error,) = session.check([wire(Unit("x.service", active=True))])["errors"]
    assert error["error"]["brief"] == "systemd does not answer"


def test_a_start_is_not_refused_for_the_starts_before_it(session: Session, host: FakeHost) -> None:
    host.unit("x.service", active="failed", Result="start-limit-hit")
    session.apply([wire(Unit("x.service", active=True))])
    assert [call[1] for call in host.calls() if call[-1] == "x.service" and call[1] not in ASKING[:2]] == ["reset-failed", "start"]


@pytest.mark.parametrize(
    ("said", "state", "asked"),
    [
        ([0], {"active": "active"}, 1),
        ([252, 252, 0], {"active": "activating"}, 3),
        ([252], {"active": "failed"}, 0),  # there is nothing to stop
        ([252], {"active": "active", "InactiveExitTimestampMonotonic": "1"}, 0),  # up for long: it will never say more
        ([0], {"active": "active", "InactiveExitTimestampMonotonic": "99" * 9}, 1),
    ],
)
def test_a_unit_is_stopped_once_it_has_come_up_whole(
    session: Session, host: FakeHost, tmp_path: Path, said: List[int], state: Dict[str, Any], asked: int
) -> None:
    host.unit("fire.service", **state)
    answers = tmp_path / "answers"
    answers.write_text("".join(f"{one}\n" for one in said))
    question = f'echo asked >>{answers}.asked; read one <{answers}; sed -i 1d {answers}; exit "$one"'
    unit = Unit("fire.service", active=False, settled=("/bin/sh", "-c", question))
    _, _, done = session.apply([wire(unit)])
    assert done["failed"] == 0
    assert len(Path(f"{answers}.asked").read_text().splitlines() if asked else []) == asked
    assert verbs(host) == ([] if state["active"] == "failed" else ["stop"])
