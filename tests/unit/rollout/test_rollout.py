"""Rollouts over thirty simulated hosts, with faults: each ends in the state that was promised."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.events import Event, HostOutcome
from fleet.rollout import journal
from fleet.rollout.journal import Journal
from tests.unit.rollout.fakes import Fleet, Killed, Simulated, terms

ALL = 30


def states(outcomes: List[HostOutcome]) -> Dict[str, int]:
    found = [outcome.state for outcome in outcomes]
    return {state: found.count(state) for state in sorted(set(found))}


def sizes(book: Journal) -> List[int]:
    return [len(line["hosts"]) for line in book.lines if line["kind"] == "batch"]


def test_all_hosts_get_it_batch_by_batch_with_a_canary_first() -> None:
    fleet = Fleet.of(ALL)
    book = fleet.start("r", terms())
    told, outcomes, ended = fleet.go(book)
    assert (ended, told.state, states(outcomes)) == (True, "done", {"changed": ALL})
    assert sizes(book) == [1, 3, 15, 11]
    assert set(fleet.versions().values()) == {"0.2.0"}
    assert {host.restarts for host in fleet.hosts.values()} == {1}
    # The canary is changed and verified before a second host is touched.
    assert fleet.met[ALL : ALL + 3] == [("apply", "h01"), ("verify", "h01"), ("apply", "h02")]


@pytest.mark.parametrize(
    ("gates", "asked"), [(["verify"], [("apply", False), ("verify", True)]), (["true"], [("apply", True)]), ([], [("apply", True)])]
)
def test_a_host_is_verified_once_by_the_gate_or_else_by_the_change(gates: List[str], asked: List[Any]) -> None:
    fleet = Fleet.of(2)
    fleet.go(fleet.start("r", terms(gates=gates)))
    assert [host.asked for host in fleet.hosts.values()] == [asked, asked]


def test_a_host_that_is_put_back_is_verified() -> None:
    fleet = Fleet.of(1, bad={"0.2.0"})
    fleet.go(fleet.start("r", terms()))
    assert fleet.hosts["h01"].asked[-1] == ("apply", True)


def test_hosts_already_there_are_left_alone() -> None:
    fleet = Fleet.of(ALL)
    for name in ("h01", "h07"):
        fleet.hosts[name] = Simulated(name, "0.2.0", ["0.1.0"], {"0.1.0", "0.2.0"})
    told, outcomes, _ = fleet.go(fleet.start("r", terms("50%")))
    assert (told.state, states(outcomes)) == ("done", {"changed": 28, "ok": 2})
    assert [fleet.hosts[name].restarts for name in ("h01", "h07", "h02")] == [0, 0, 1]
    assert [name for mode, name in fleet.met if mode != "verify" and name in ("h01", "h07")] == []


def test_a_batch_that_fails_its_gate_goes_back_and_no_other_begins() -> None:
    fleet = Fleet.of(ALL)
    fleet.hosts["h03"].bad = {"0.2.0"}
    book = fleet.start("r", terms())
    told, outcomes, ended = fleet.go(book)
    assert (ended, told.state) == (True, "failed")
    assert told.why == "h03: 1 resource is not as declared"
    assert sizes(book) == [1, 3]
    now = fleet.versions()
    assert [now[name] for name in ("h01", "h02", "h03", "h04", "h05")] == ["0.2.0", "0.1.0", "0.1.0", "0.1.0", "0.1.0"]
    assert states(outcomes) == {"changed": 1, "failed": 3, "interrupted": 26}
    assert fleet.hosts["h02"].past == []  # as if it had never been: a rollback would not go to what failed
    assert "was put back: h03: 1 resource is not as declared" in [fault.brief for fault in outcomes[1].faults]


def test_with_stop_it_stays_as_it_is_and_goes_on_once_it_is_mended() -> None:
    fleet = Fleet.of(ALL)
    fleet.hosts["h03"].bad = {"0.2.0"}
    told, _, _ = fleet.go(fleet.start("r", terms(on_failure="stop")))
    assert (told.state, told.over) == ("stopped", False)
    assert [host.current for host in fleet.hosts.values()].count("0.2.0") == 4
    fleet.hosts["h03"].bad = set()
    told, outcomes, _ = fleet.resumed("r")
    assert (told.state, states(outcomes)) == ("done", {"changed": ALL})
    assert {host.restarts for host in fleet.hosts.values()} == {1}


@pytest.mark.parametrize(
    ("most", "state", "reached"), [("3", "done", 27), ("10%", "done", 27), ("2", "failed", 0), ("9%", "failed", 0)]
)
def test_unreachable_hosts_count_against_the_budget(most: str, state: str, reached: int) -> None:
    fleet = Fleet.of(ALL)
    for name in ("h01", "h10", "h30"):
        fleet.hosts[name].reachable = False
    told, outcomes, _ = fleet.go(fleet.start("r", terms(most=most)))
    assert (told.state, list(fleet.versions().values()).count("0.2.0")) == (state, reached)
    assert [one.host for one in outcomes if one.state == "unreachable"] == ["h01", "h10", "h30"]
    assert "  h10: unreachable: h10 does not answer" in fleet.said


def test_failures_of_every_kind_are_added_up_over_the_whole_run() -> None:
    fleet = Fleet.of(ALL)
    fleet.hosts["h01"].reachable = False
    fleet.hosts["h02"].refuses = {"0.2.0"}
    fleet.hosts["h06"].bad = {"0.2.0"}
    told, _, _ = fleet.go(fleet.start("r", terms("5", most="3")))
    assert (told.state, told.failures) == ("done", ["h01", "h02", "h06"])
    assert [fleet.versions()[name] for name in ("h01", "h02", "h06", "h30")] == ["0.1.0", "0.1.0", "0.2.0", "0.2.0"]
    again = Fleet({name: Simulated(name) for name in fleet.hosts})
    for name in ("h01", "h02", "h06"):
        again.hosts[name] = Simulated(name, reachable=name != "h01", bad={"0.2.0"}, refuses={"0.2.0"} if name == "h02" else set())
    again.hosts["h21"].refuses = {"0.2.0"}
    book = again.start("s", terms("5", most="3"))
    told, _, _ = again.go(book)
    assert (told.state, told.failures) == ("failed", ["h01", "h02", "h06", "h21"])
    assert sizes(book) == [5] * 4
    # The batch whose host was one too many goes back; those before it stay.
    assert [again.versions()[name] for name in ("h03", "h16", "h17", "h20", "h22")] == ["0.2.0", "0.2.0", "0.1.0", "0.1.0", "0.1.0"]


def test_a_host_lost_after_the_look_is_not_waited_for() -> None:
    fleet = Fleet.of(ALL)

    def vanish(event: Event) -> None:
        fleet.hosts["h03"].reachable = len(fleet.met) < ALL

    fleet.on_event = vanish
    told, outcomes, _ = fleet.go(fleet.start("r", terms(most="0")))
    assert (told.state, fleet.versions()["h02"], fleet.versions()["h04"]) == ("failed", "0.1.0", "0.1.0")
    assert states(outcomes) == {"changed": 1, "failed": 2, "interrupted": 26, "unreachable": 1}


@pytest.mark.parametrize(
    ("host", "back", "why"),
    [
        ({"current": "0.3.0", "kept": {"0.3.0"}}, False, "0.2.0 is older than 0.3.0, which is here"),
        ({"current": None, "kept": set()}, True, "there is no Skiff here: `./inv provision` deploys it"),
        ({"current": "0.0.1", "kept": {"0.0.1"}}, True, "0.2.0 follows no version older than 0.1.0, and 0.0.1 is"),
        ({"shims": {"0.0.1": 2}}, True, "2 containers here run under shims of 0.0.1, whose protocol is not known"),
    ],
)
def test_a_host_that_may_not_get_it_stops_all_before_any_is_touched(host: Dict[str, Any], back: bool, why: str) -> None:
    fleet = Fleet.of(ALL)
    fleet.hosts["h20"] = Simulated("h20", **host)
    told, outcomes, _ = fleet.go(fleet.start("r", terms(), back=back))
    assert (told.state, told.why) == ("failed", "h20 may not get it; nothing was changed")
    assert told.of("h20")["why"].startswith(why)
    assert {mode for mode, _ in fleet.met} == {"verify"}
    assert states(outcomes) == {"failed": 1, "interrupted": 29}


def test_a_downgrade_that_is_allowed() -> None:
    fleet = Fleet.of(3, current="0.3.0", kept={"0.3.0"})
    told, _, _ = fleet.go(fleet.start("r", terms(), back=True))
    assert (told.state, set(fleet.versions().values())) == ("done", {"0.2.0"})


def test_each_host_goes_back_to_its_own_previous_version() -> None:
    fleet = Fleet.of(4, current="0.3.0", past=["0.1.0", "0.2.0"], kept={"0.1.0", "0.2.0", "0.3.0"})
    fleet.hosts["h02"] = Simulated("h02", "0.2.0", ["0.1.0"], {"0.1.0", "0.2.0"})
    told, _, _ = fleet.go(fleet.start("r", terms("2"), to="", verb="rollback"))
    assert (told.state, list(fleet.versions().values())) == ("done", ["0.2.0", "0.1.0", "0.2.0", "0.2.0"])
    told, _, _ = fleet.go(fleet.start("s", terms("2"), to="0.1.0", verb="rollback"))
    assert (told.state, set(fleet.versions().values())) == ("done", {"0.1.0"})
    told, _, _ = fleet.go(fleet.start("t", terms("2"), to="", verb="rollback"))
    assert told.of("h01")["why"] == "no version was here before 0.1.0; kept are 0.1.0; 0.2.0; 0.3.0"


def test_a_rollback_that_fails_its_gate_goes_forward_again() -> None:
    fleet = Fleet.of(3, current="0.2.0", past=["0.1.0"], kept={"0.1.0", "0.2.0"}, bad={"0.1.0"})
    told, _, _ = fleet.go(fleet.start("r", terms("2"), to="", verb="rollback"))
    assert (told.state, set(fleet.versions().values())) == ("failed", {"0.2.0"})


def test_a_user_s_command_is_a_gate(tmp_path: Path) -> None:
    fleet = Fleet.of(ALL)
    command = f'echo "$SKIFF_BATCH $SKIFF_VERSION $SKIFF_TASK $SKIFF_HOSTS" >> {tmp_path}/seen; test $SKIFF_BATCH -lt 3'
    told, _, _ = fleet.go(fleet.start("r", terms("2", ["verify", command])))
    assert (told.state, told.why) == ("failed", f"the gate {command!r} ended with 1")
    assert (tmp_path / "seen").read_text().splitlines() == [
        "1 0.2.0 upgrade h01 h02", "2 0.2.0 upgrade h03 h04", "3 0.2.0 upgrade h05 h06",
    ]  # fmt: skip
    assert list(fleet.versions().values()).count("0.2.0") == 4


def test_ctrl_c_ends_the_hosts_in_hand_and_the_rest_goes_on_later() -> None:
    fleet = Fleet.of(ALL)

    def press(event: Event) -> None:
        if event.kind == "plan" and event.host == "h09" and fleet.met[-1][0] == "apply":
            os.kill(os.getpid(), signal.SIGINT)
            fleet.on_event = lambda _: None

    fleet.on_event = press
    told, outcomes, ended = fleet.go(fleet.start("r", terms("8")))
    assert (ended, told.state) == (False, "")
    assert fleet.said[-1] == "stopped: interrupted; `--resume r` goes on"
    assert set(states(outcomes)) == {"changed", "interrupted"}
    told, outcomes, ended = fleet.resumed("r")
    assert (ended, told.state, states(outcomes)) == (True, "done", {"changed": ALL})
    assert {host.restarts for host in fleet.hosts.values()} == {1}


class Cut(Journal):
    """A journal whose process is killed at its nth line, before or after that is on the disk."""

    left = 0
    after = False

    def write(self, kind: str, **fields: Any) -> Dict[str, Any]:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        line = super().write(kind, **fields)
        if self.left == 0:
            raise Killed
        return line


def ill() -> Fleet:
    """Hosts with one fault of each kind, the last of which is one too many."""
    fleet = Fleet.of(8)
    fleet.hosts["h02"].reachable = False
    fleet.hosts["h04"].refuses = {"0.2.0"}
    fleet.hosts["h07"].bad = {"0.2.0"}
    return fleet


@pytest.mark.parametrize(
    ("most", "state", "moved"), [("3", "done", ["h02", "h04"]), ("2", "failed", ["h02", "h04", "h06", "h07", "h08"])]
)
def test_killed_at_any_line_of_the_journal_it_ends_as_if_it_had_not_been(most: str, state: str, moved: List[str]) -> None:
    whole = ill()
    book = whole.start("whole", terms("1,3", most=most))
    told, _, _ = whole.go(book)
    assert (told.state, [name for name, version in whole.versions().items() if version == "0.1.0"]) == (state, moved)
    for number in range(1, len(book.lines)):
        for after in (False, True):
            fleet, name = ill(), f"cut-{number}-{after}"
            fleet.start(name, terms("1,3", most=most)).close()
            cut = Cut(*held(name))
            cut.left, cut.after = number, after
            if not (number == len(book.lines) - 1 and after):
                with pytest.raises(Killed):
                    fleet.go(cut)
                again, _, _ = fleet.resumed(name)
                assert (again.state, again.why, fleet.versions()) == (told.state, told.why, whole.versions()), name
                assert again.failures == told.failures
                assert max(host.restarts for host in fleet.hosts.values()) <= 2, name  # there, and back


def held(name: str) -> Any:
    path = journal.find(name)
    return path, os.open(path, os.O_RDWR | os.O_APPEND)


def test_killed_in_the_midst_of_a_batch_every_host_is_changed_once() -> None:
    for count in (1, 3, 5):
        fleet = Fleet.of(ALL)
        seen: List[Event] = []

        def die(event: Event, fleet: Fleet = fleet, seen: List[Event] = seen, count: int = count) -> None:
            seen += [event] if event.kind == "finished" and fleet.met[-1][0] == "apply" else []
            if len(seen) == count:
                raise Killed

        fleet.on_event = die
        with pytest.raises(Killed):
            fleet.go(fleet.start(f"r{count}", terms("6")))
        fleet.on_event = lambda _: None
        told, _, _ = fleet.resumed(f"r{count}")
        assert (told.state, set(fleet.versions().values())) == ("done", {"0.2.0"})
        assert {host.restarts for host in fleet.hosts.values()} == {1}
