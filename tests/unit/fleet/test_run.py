from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

import pytest

from fleet.checks import Check, Outcome, Probe
from fleet.content import Content
from fleet.errors import UnreachableError
from fleet.events import Event, HostOutcome
from fleet.inventory.model import Host
from fleet.resources import File
from fleet.roles.loader import Role
from fleet.run.host import HostRun
from fleet.run.job import Job, new_run
from fleet.secret import Reference
from fleet.transport import OUT, Received, Transport
from fleet.transport.fake import FakeChannel, FakeTransport
from fleet.transport.stop import Stop
from fleet.variables import Variable, Variables
from tests.unit.fleet.wire import DECLARED, agent, agent_channel, answering, done, hello, job, plan, result


def test_the_names_of_runs_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second, too: the last run is asked for right after another one."""
    times = [1764198902.0001, 1764198902.3, 1764198902.9999, 1764198903.0]
    clock = iter(times)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    names = [new_run() for _ in times]
    assert names == sorted(names)
    assert [name[:18] for name in names] == ["20251126-231502-00", "20251126-231502-4c", "20251126-231502-ff", "20251126-231503-00"]


def role(**functions: Callable[..., Any]) -> Role:
    given: Dict[str, Any] = {name: lambda *_: [] for name in ("refusals", "resources", "probes", "judge", "release_refusals")}
    return Role(name="r", templates=Path(), variables=DECLARED, **{**given, **functions})


def host_run(job: Job, transport: Transport, heard: Optional[List[Event]] = None) -> HostOutcome:
    emit = (heard if heard is not None else []).append
    return HostRun(Host("h1", "10.0.0.1"), job, lambda *_: transport, emit, Stop())()


class Seen:
    """A script that answers nothing and keeps what it is told."""

    def __init__(self) -> None:
        self.types: List[str] = []

    def __call__(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        self.types.append(message["type"])
        return []


FAILED = result("a", "failed", error={"brief": "disk full", "details": "0 bytes", "resolution": "free some"})
PROBES = {"type": "probes", "results": [{"name": "r/p", "status": 0, "stdout": "yes", "stderr": "", "seconds": 0}]}


@pytest.mark.parametrize(
    ("mode", "messages", "state"),
    [
        ("apply", [plan(), result("a"), done()], "ok"),
        ("apply", [plan("a"), result("a", "changed"), done(changed=1, reboot=["kernel"])], "changed"),
        ("apply", [plan("a"), FAILED, done(failed=1)], "failed"),
        ("apply", [plan("a"), done(interrupted=True)], "interrupted"),
        ("check", [plan(), done()], "ok"),
        ("check", [plan("a"), done(changed=1)], "changed"),
        ("verify", [plan(), PROBES, done()], "ok"),
        ("verify", [plan("a"), PROBES, done(changed=1)], "failed"),
        ("apply", [{"type": "fatal", "error": {"brief": "locked by x", "details": "", "resolution": ""}}], "failed"),
    ],
)
def test_a_hosts_state_follows_from_the_agents_words(mode: str, messages: List[Dict[str, Any]], state: str) -> None:
    assert host_run(job(mode), agent(answering(*messages))).state == state


def test_a_failed_resource_is_told_with_its_cure_and_reboots_are_kept() -> None:
    outcome = host_run(job(), agent(answering(plan("a"), FAILED, done(failed=1, reboot=["the kernel's arguments changed"]))))
    assert [(fault.where, fault.brief, fault.resolution) for fault in outcome.faults] == [("a", "disk full", "free some")]
    assert outcome.reboot == ("the kernel's arguments changed",)


def test_roles_get_facts_and_variables_and_their_resources_are_sent() -> None:
    seen: List[Mapping[str, Any]] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        seen.append(message)
        return [plan(), done()]

    resources = role(resources=lambda facts, variables: [File(f"/{facts.hostname}", Content.of(variables.string("word").encode()))])
    host_run(job("apply", resources, diff=True), agent(script))
    assert [wire["id"] for wire in seen[0]["resources"]] == ["file:/h1"]
    assert (seen[0]["mode"], seen[0]["diff"]) == ("apply", True)
    assert "pid" in seen[0]["who"]


def test_all_refusals_come_at_once_and_nothing_is_touched() -> None:
    seen = Seen()
    refusing = [role(refusals=lambda *_: ["too old", "too small"]), role(refusals=lambda *_: ["too loud"])]
    outcome = host_run(job("apply", *refusing), agent(seen))
    assert outcome.state == "failed"
    assert [fault.brief for fault in outcome.faults] == ["too old", "too small", "too loud"]
    assert seen.types == ["quit"]


def test_checks_are_judged_and_a_failed_one_fails_the_host() -> None:
    def judge(_facts: object, _variables: object, outcomes: Mapping[str, Outcome]) -> List[Check]:
        return [
            Check("says yes", outcomes["p"].stdout == "yes"),
            Check("says no", outcomes["p"].stdout == "no", "yes", "talk to it"),
        ]

    checking = role(probes=lambda *_: [Probe("p", ("true",))], judge=judge)
    outcome = host_run(job("apply", checking), agent(answering(plan(), PROBES, done())))
    assert (outcome.state, outcome.failed_checks, len(outcome.checks)) == ("failed", 1, 2)


@pytest.mark.parametrize(("least", "taken"), [(30, [30, 120]), (60, [60, 120]), (600, [600, 600])])
def test_a_slow_host_has_more_time_for_a_look(least: int, taken: List[float]) -> None:
    asked: List[Mapping[str, Any]] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        asked.extend(message.get("probes", ()))
        return [plan(), done()] if message["type"] == "desired" else []

    looks = role(probes=lambda *_: [Probe("quick", ("true",)), Probe("long", ("true",), timeout=120)])
    slow = {"verify_timeout": Variable("verify_timeout", "r", "integer", least, "")}
    assert host_run(replace(job("apply", looks), declared=slow), agent(script)).state == "ok"
    assert [probe["timeout"] for probe in asked] == taken


def test_a_look_that_ran_out_of_time_says_so() -> None:
    def judge(_facts: object, _variables: object, outcomes: Mapping[str, Outcome]) -> List[Check]:
        return [Check("p", False, outcomes["p"].stderr)]

    late = {"status": 124, "stdout": "", "stderr": "so far\n", "seconds": 45}
    words = {"type": "probes", "results": [{"name": "r/p", **late}, {"name": "/q", **late}]}
    looks = role(probes=lambda *_: [Probe("p", ("p",), timeout=45)], judge=judge)
    outcome = host_run(job("apply", looks, questions=(Probe("q", ("q",)),)), agent(answering(plan(), words, done())))
    ((_, check),) = outcome.checks
    assert check.detail == "so far\nno answer within 45 s; verify_timeout gives a slow host more"
    assert outcome.answers["q"].stderr == "so far\n", "a command of the user's own has its own time"


@pytest.mark.parametrize("given", [None, 5])
def test_a_role_that_gives_nothing_to_read_is_named(given: object) -> None:
    outcome = host_run(job("apply", role(resources=lambda *_: given)), agent(Seen()))
    assert outcome.faults[0].brief.startswith("role r: <lambda> failed: TypeError")


def test_a_generator_that_fails_is_told_with_its_line() -> None:
    def resources(*_: object) -> Iterator[File]:
        yield File("/a")
        raise ValueError("odd")

    outcome = host_run(job("apply", role(resources=resources)), agent(Seen()))
    assert outcome.faults[0].brief == "role r: resources failed: ValueError: odd"
    assert "test_run.py:" in outcome.faults[0].details


def test_questions_are_answered_beside_the_roles() -> None:
    words = {"type": "probes", "results": [{"name": "/version", "status": 0, "stdout": "1.0", "stderr": "", "seconds": 0}]}
    outcome = host_run(job("verify", questions=(Probe("version", ("v",)),)), agent(answering(plan(), words, done())))
    assert outcome.answers == {"version": Outcome(0, "1.0", "")}
    assert outcome.state == "ok"


def test_a_role_that_fails_is_told_with_its_line() -> None:
    outcome = host_run(job("apply", role(resources=lambda facts, _: facts.pythons[9])), agent(answering()))
    assert outcome.state == "failed"
    assert "role r: <lambda> failed: IndexError" in outcome.faults[0].brief
    assert "test_run.py" in outcome.faults[0].details


def test_facts_mode_asks_for_nothing() -> None:
    seen = Seen()
    outcome = host_run(job("facts"), agent(seen, greeting=hello(hostname="h9")))
    assert outcome.facts is not None
    assert outcome.facts["hostname"] == "h9"
    assert seen.types == ["quit"]


def bare(command: str) -> FakeChannel:
    marker = command.partition("echo ")[2][:32].encode()
    return FakeChannel(lambda data: [Received(OUT, marker + b"\nnopython centos 9 rhel\n")] if not data else [])


def test_check_mode_says_that_python_would_be_installed() -> None:
    heard: List[Event] = []
    outcome = host_run(job("check"), FakeTransport(bare), heard)
    assert (outcome.state, outcome.counts["changed"]) == ("changed", 1)
    told = next(event.data for event in heard if event.kind == "plan")
    assert [change["action"] for change in told["changes"]] == ["install"]
    assert told["errors"] == []
    assert outcome.plan is not None
    assert [(change.action, change.summary) for change in outcome.plan.changes] == [
        ("install", "Python 3 would be installed; the rest is unknown until then")
    ]


@pytest.mark.parametrize("mode", ["apply", "check", "verify"])
def test_a_release_that_roles_refuse_is_given_no_python(mode: str) -> None:
    sent: List[bytes] = []

    def open_channel(command: str) -> FakeChannel:
        channel = bare(command)
        channel.sent = sent
        return channel

    def refuse(os_id: str, os_like: Sequence[str], version: str, variables: Variables) -> List[str]:
        return [f"{os_id} {version} is too old", f"like {os_like}"]

    outcome = host_run(job(mode, role(release_refusals=refuse)), FakeTransport(open_channel))
    assert (outcome.state, sent, outcome.plan) == ("failed", [], None)
    assert [(fault.where, fault.brief) for fault in outcome.faults] == [("r", "centos 9 is too old"), ("r", "like ('rhel',)")]


def python_first(command: str) -> FakeChannel:
    found = agent_channel(answering(plan(), done()))(command)
    greeted = list(found._waiting)
    found._waiting.clear()
    found._waiting.append(Received(OUT, greeted[0].data + b"nopython centos 9 rhel\n"))
    peer, given = found._peer, []  # type: ignore[var-annotated] # told by its use

    def answer(data: bytes) -> Sequence[Received]:
        if not given:
            given.append(data)
            return greeted[1:]
        return peer(data)

    found._peer = answer
    return found


def test_an_installed_python_is_a_change_of_the_host() -> None:
    heard: List[Event] = []
    outcome = host_run(job(), FakeTransport(python_first), heard)
    assert (outcome.state, outcome.counts["changed"]) == ("changed", 1)
    assert [(event.kind, event.data.get("id")) for event in heard][1:4] == [
        ("begin", "python"),
        ("result", "python"),
        ("facts", None),
    ]


def test_a_host_that_is_lost_while_python_is_installed_was_reached() -> None:
    def lost(data: bytes) -> Sequence[Received]:
        raise UnreachableError("the connection was lost")

    def open_channel(command: str) -> FakeChannel:
        channel = bare(command)
        channel._peer = lost
        return channel

    assert host_run(job(), FakeTransport(open_channel)).state == "failed"


def test_a_host_without_python_is_not_verified() -> None:
    outcome = host_run(job("verify"), FakeTransport(bare))
    assert (outcome.state, outcome.faults[0].brief) == ("failed", "there is no Python >= 3.6 on this host")


def test_a_host_that_is_not_met_is_unreachable_and_one_that_is_lost_has_failed() -> None:
    unmet = host_run(job(), FakeTransport(bare, fault=UnreachableError("no answer")))
    assert unmet.state == "unreachable"

    def lose(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        raise UnreachableError("the connection was lost")

    assert host_run(job(), agent(lose)).state == "failed"


@pytest.mark.parametrize(("drifted", "words"), [(1, "1 resource is not as declared"), (2, "2 resources are not as declared")])
def test_drift_is_counted_in_words(drifted: int, words: str) -> None:
    outcome = host_run(job("verify"), agent(answering(plan("a", "b"), done(changed=drifted))))
    assert outcome.faults[0].brief == words


def test_events_tell_the_run_in_order() -> None:
    heard: List[Event] = []
    begin = {"type": "begin", "id": "a", "role": "r"}
    host_run(job(), agent(answering(plan("a"), begin, result("a", "changed"), done(changed=1))), heard)
    assert [event.kind for event in heard] == ["connecting", "facts", "plan", "begin", "result", "finished"]


def test_an_undo_knows_the_secrets_that_no_role_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIFF_TEST_WORD", "opensesame")
    seen: List[Mapping[str, Any]] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        seen.append(message)
        return [plan(), done()]

    inputs = {name: Reference("env", (f"SKIFF_TEST_{name}",)) for name in ("WORD", "MISSING")}
    host_run(job("apply", undo={"what": "restore"}, inputs=inputs), agent(script))
    assert seen[0]["secrets"] == ["opensesame"]
