"""Watching: what is told between rounds, and when it ends."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Sequence, Tuple

import pytest

from fleet.checks import Check
from fleet.errors import UsageError
from fleet.events import Fault, HostOutcome, Listener
from fleet.plan import Change, Plan
from fleet.progress.changes import Changes
from fleet.run import watch
from fleet.run.task import Options


def outcome(state: str = "ok", active: bool = True, room: bool = True, drifted: bool = False) -> HostOutcome:
    checks = [
        ("service", Check("it runs", active, "active" if active else "dead", "start it", "service_active")),
        ("preflight", Check("there is room", room, "full\x1b[2J", "df -h", "disk_room", "warning")),
    ]
    plan = Plan((Change("file:/etc/x", "r", False, "update", "update /etc/x", ""),)) if drifted else None
    return HostOutcome("web1", state=state, checks=checks, plan=plan)


LOST = HostOutcome("web1", state="unreachable", faults=[Fault("no route")])


def heard(*rounds: HostOutcome, as_json: bool = False) -> List[List[str]]:
    """What each round told, without the time."""
    said: List[List[str]] = []
    changes = Changes(lambda line: said[-1].append(line if as_json else line[10:]), as_json)
    for one in rounds:
        said.append([])
        changes.end([one], False)
    return said


def test_only_what_changed_is_told() -> None:
    told = heard(outcome(), outcome(), outcome("failed", active=False), outcome("failed", active=False), outcome())
    assert told == [
        [],
        [],
        ["web1: host: ok -> failed", "web1: service_active: ok -> critical it runs: dead\n           -> start it"],
        [],
        ["web1: host: failed -> ok", "web1: service_active: critical -> ok it runs: active"],
    ]


def test_what_a_host_says_steers_no_terminal() -> None:
    assert heard(outcome(), outcome(room=False))[1] == [
        "web1: disk_room: ok -> warning there is room: full\\x1b[2J\n           -> df -h"
    ]


def test_a_host_that_is_lost_takes_no_check_with_it() -> None:
    told = heard(outcome(room=False), LOST, outcome(room=False), outcome(room=True))
    assert told[1] == ["web1: host: ok -> unreachable: no route"]
    assert told[2] == ["web1: host: unreachable -> ok"]
    assert [line.partition(" there")[0] for line in told[3]] == ["web1: disk_room: warning -> ok"]


def test_a_resource_that_drifts_and_comes_back() -> None:
    told = heard(outcome(), outcome(drifted=True), outcome())
    assert told[1] == ["web1: file:/etc/x: ok -> differs: update /etc/x\n           -> ./inv provision --hosts web1"]
    assert told[2] == ["web1: file:/etc/x: differs -> ok"]


def test_in_json_the_first_round_tells_what_is_not_well() -> None:
    first, second = heard(outcome(room=False), outcome(), as_json=True)
    (line,) = map(json.loads, first)
    assert {key: line[key] for key in ("host", "check", "was", "is", "cure")} == {
        "host": "web1", "check": "disk_room", "was": "ok", "is": "warning", "cure": "df -h",
    }  # fmt: skip
    assert [json.loads(line)["is"] for line in second] == ["ok"]


def test_a_round_that_was_cut_short_tells_nothing() -> None:
    said: List[str] = []
    changes = Changes(said.append)
    changes.end([outcome()], False)
    changes.end([HostOutcome("web1", state="interrupted")], True)
    changes.end([outcome()], False)
    assert said == []


def rounds(monkeypatch: pytest.MonkeyPatch, *found: Any) -> List[Sequence[Listener]]:
    """The listeners of each round; its outcome, that it is interrupted, or an exception is what it comes to."""
    calls: List[Sequence[Listener]] = []

    def provision(*_: object, instead: Sequence[Listener]) -> Tuple[List[HostOutcome], int]:
        calls.append(instead)
        answer = found[len(calls) - 1]
        if isinstance(answer, BaseException):
            raise answer
        for listener in instead:
            listener.end([answer or outcome()], answer is None)
        return [answer or outcome()], 0 if answer else 130

    monkeypatch.setattr(watch, "provision", provision)
    return calls


def test_the_status_is_the_last_whole_round_s(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pauses: List[float] = []
    calls = rounds(monkeypatch, outcome(), outcome("failed", active=False), outcome(room=False), None)
    assert watch.watch(Options("web1"), "10", pauses.append) == 4
    assert "watching 1 host, every 10 s" in capsys.readouterr().err
    assert all(9 <= pause <= 11 for pause in pauses)
    assert len(set(pauses)) == 3, "no two pauses are alike"
    assert [bool(call) for call in calls] == [False, True, True, True]


def test_ctrl_c_between_two_rounds_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    rounds(monkeypatch, outcome("failed", active=False))
    assert watch.watch(Options("web1"), "", interrupt) == 2


def test_ctrl_c_while_a_round_begins_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds(monkeypatch, outcome(room=False), KeyboardInterrupt())
    assert watch.watch(Options("web1"), "", lambda _: None) == 4


def test_a_first_round_that_is_interrupted_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = rounds(monkeypatch, None)
    assert (watch.watch(Options("web1"), ""), len(calls)) == (130, 1)


@pytest.mark.parametrize(
    ("seconds", "options", "message"),
    [
        ("0", {}, "--watch: should be a whole number of at least 1"),
        ("often", {}, "--watch: should be a whole number"),
        ("", {"html": "x.html"}, "--watch goes on"),
        ("", {"ask_pass": True}, "ask for a password in every round"),
    ],
)
def test_what_cannot_be_watched_is_refused(seconds: str, options: Dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        watch.watch(Options("web1", **options), seconds)
