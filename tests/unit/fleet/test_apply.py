"""A saved plan carried out: what is sent, what is refused before anything is sent, and what is said of a host that moved on."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import pytest

from fleet.content import Content
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.inventory.model import Host
from fleet.resources import File
from fleet.run import keeping
from fleet.run.host import HostRun
from fleet.run.job import Job
from fleet.saved import file
from fleet.saved.seal import Key
from fleet.transport.fake import FakeTransport
from fleet.transport.stop import Stop
from tests.unit.fleet.test_run import bare, role
from tests.unit.fleet.test_tasks import invoke
from tests.unit.fleet.wire import agent, answering, done, hello, job, plan, result

KEY = Key(b"k" * 32)
CHANGED = {**plan("file:/a"), "changes": [{**plan("file:/a")["changes"][0], "fingerprint": "f1"}]}
WORDS: List[bytes] = []


def resources(*_: object) -> List[File]:
    return [File("/a", Content.of(b"a")), File("/s", Content.of(WORDS[-1]), mode="0600", secret=True)]


@pytest.fixture(autouse=True)
def _word() -> None:
    WORDS[:] = [b"hunter2"]


def run(given: Job, script: Any, name: str = "h1", **greeting: Any) -> HostOutcome:
    transport = agent(script, greeting=hello(machine="m1", **greeting))
    return HostRun(Host(name, "10.0.0.1"), given, lambda *_: transport, lambda _: None, Stop())()


def planned(path: Path) -> file.SavedPlan:
    making = job("check", role(resources=resources), keep=True, key=KEY)
    outcomes = [run(making, answering(CHANGED, done(changed=1)))]
    keeping.save(path / "x.plan", keeping.about(making, "", ["word"]), outcomes, WORDS.append)  # type: ignore[arg-type] # said nowhere
    WORDS[:] = [b"hunter2"]
    return file.read(path / "x.plan")


def applying(path: Path) -> Job:
    return job("apply", role(resources=resources), saved=planned(path), key=KEY)


def test_the_plan_is_sent_with_what_is_expected_and_the_secret_of_now(tmp_path: Path) -> None:
    sent: List[Mapping[str, Any]] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        sent.append(message)
        return [CHANGED, result("file:/a", "changed"), done(changed=1)]

    outcome = run(applying(tmp_path), script)
    assert (outcome.state, outcome.faults) == ("changed", [])
    assert (sent[0]["mode"], sent[0]["expect"]) == ("apply", {"file:/a": "f1"})
    assert [wire["id"] for wire in sent[0]["resources"]] == ["file:/a", "file:/s"]
    assert sent[0]["resources"][1]["content"]["sha256"] == Content.of(b"hunter2").sha256


def test_a_host_that_asks_for_what_another_takes_is_refused(tmp_path: Path) -> None:
    own = role(resources=lambda facts, _: [File("/a", Content.of(facts.hostname.encode()))])
    making = job("check", own, keep=True)
    outcomes = [run(making, answering(CHANGED, done(changed=1)), name, hostname=name) for name in ("h1", "h2")]
    keeping.save(tmp_path / "x.plan", keeping.about(making, "", []), outcomes, lambda _: None)
    applied = job("apply", own, saved=file.read(tmp_path / "x.plan"))
    for name, state in (("h1", "changed"), ("h2", "failed")):
        need = {"type": "need", "sha256": [Content.of(name.encode()).sha256]}
        outcome = run(applied, answering(need, CHANGED, result("file:/a", "changed"), done(changed=1)))
        assert outcome.state == state


@pytest.mark.parametrize("name", ["key", "saved"])
def test_neither_a_key_nor_a_plan_goes_to_another_process(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="leave --engine out"):
        pickle.dumps({"job": getattr(applying(tmp_path), name)})


def refused(given: Job, **greeting: Any) -> HostOutcome:
    sent: List[str] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        sent.append(message["type"])
        return []

    outcome = run(given, script, **greeting)
    assert "desired" not in sent
    assert outcome.state == "failed"
    return outcome


def test_a_secret_that_changed_since_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    given = applying(tmp_path)
    WORDS.append(b"hunter3")
    assert refused(given).faults[0].brief == "file:/s: the secret in it changed since the plan was made"


def test_another_machine_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    assert "not the host that was planned" in refused(applying(tmp_path), hostname="h9").faults[0].brief


@pytest.mark.parametrize(
    ("resources", "briefs"),
    [
        ([("file:/a", "met", "")], ["the host is already as planned; nothing was changed"]),
        (
            [("file:/a", "differs", "update content of /a"), ("file:/s", "new", "create /s")],
            [
                "the host has moved on since the plan was made; nothing was changed",
                "is not as it was when the plan was made",
                "was as declared when the plan was made, and is no longer",
            ],
        ),
    ],
)
def test_a_host_that_moved_on_has_failed_and_is_told_why(tmp_path: Path, resources: List[Any], briefs: List[str]) -> None:
    told = [{"id": name, "role": "r", "why": why, "summary": summary} for name, why, summary in resources]
    outcome = run(applying(tmp_path), answering({"type": "moved", "resources": told}, done(skipped=len(told))))
    assert [fault.brief for fault in outcome.faults] == briefs
    assert (outcome.state, outcome.counts["skipped"]) == ("failed", len(told))
    assert "./inv plan --hosts h1 --out FILE" in outcome.faults[0].resolution


def test_a_host_that_lost_its_python_is_refused(tmp_path: Path) -> None:
    outcome = HostRun(Host("h1", "10.0.0.1"), applying(tmp_path), lambda *_: FakeTransport(bare), lambda _: None, Stop())()
    assert (outcome.state, outcome.faults[0].brief) == ("failed", "there is no Python >= 3.6 on this host any more")


def test_hosts_with_faults_are_left_out_and_told(tmp_path: Path) -> None:
    making = job("check", role(resources=resources), keep=True, key=KEY)
    good = run(making, answering(CHANGED, done(changed=1)))
    error = {"brief": "no directory /b", "details": "", "resolution": ""}
    broken = {**CHANGED, "errors": [{"id": "file:/b", "role": "r", "error": error}]}
    bad = run(making, answering(broken, done(failed=1)), name="h2")
    said: List[str] = []
    assert keeping.save(tmp_path / "x.plan", keeping.about(making, "", []), [good, bad], said.append)
    saved = file.read(tmp_path / "x.plan")
    assert (saved.hosts, saved.manifest["left_out"]) == (["h1"], {"h2": "file:/b: no directory /b"})
    assert said[0] == f"h2: is not in {tmp_path}/x.plan: file:/b: no directory /b"
    assert not keeping.save(tmp_path / "y.plan", keeping.about(making, "", []), [bad], said.append)
    assert said[-1] == f"{tmp_path}/y.plan: was not written: no host was planned without fault"
    assert not (tmp_path / "y.plan").exists()


def test_it_is_shown_without_a_connection(tmp_path: Path) -> None:
    planned(tmp_path)
    shown = invoke("apply", str(tmp_path / "x.plan"), "--show")
    assert shown.returncode == 0, shown.stderr
    assert "connects:" not in shown.stderr
    assert "h1: 1 change" in shown.stdout
    document: Dict[str, Any] = json.loads(invoke("apply", str(tmp_path / "x.plan"), "--show", "--json").stdout)
    assert document["hosts"]["h1"]["plan"]["changes"][0]["fingerprint"] == "f1"
    assert document["hosts"]["h1"]["secrets"] == ["file:/s"]
    assert invoke("apply", str(tmp_path / "x.plan"), "--show", "--hosts", "h2").returncode == 1
    assert invoke("apply", str(tmp_path / "x.plan"), "--show", "--hosts", "h*").stdout == shown.stdout


def test_a_plan_that_others_can_write_is_not_carried_out(tmp_path: Path) -> None:
    planned(tmp_path)
    (tmp_path / "x.plan").chmod(0o666)
    given = invoke("apply", str(tmp_path / "x.plan"), XDG_STATE_HOME=str(tmp_path))
    assert (given.returncode, "others can write it" in given.stderr, "connects:" in given.stderr) == (1, True, False)
    assert invoke("apply", str(tmp_path / "x.plan"), "--show").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.plan"], "none.plan: cannot be read"),
        (["x.plan"], "x.plan: h1 is in the plan and in no inventory"),
        (["x.plan", "--hosts", "root@127.0.0.1:1"], "there is no role 'r'"),
    ],
)
def test_what_cannot_be_applied_is_told_by_name(tmp_path: Path, words: List[str], said: str) -> None:
    planned(tmp_path)
    given = invoke("apply", str(tmp_path / words[0]), *words[1:], XDG_STATE_HOME=str(tmp_path))
    assert (given.returncode, "connects:" in given.stderr) == (1, False)
    assert said in given.stderr
