"""A host that was taken over says what it likes: it fails, and the run goes on with all others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.checks import Outcome
from fleet.errors import HostError
from fleet.events import HostOutcome, Listener
from fleet.exchange.messages import understood
from fleet.inventory.model import Host
from fleet.progress.document import Document
from fleet.progress.lines import Lines
from fleet.progress.live import LiveTable
from fleet.progress.words import Words
from fleet.record import Record
from fleet.run import copies
from fleet.run.answers import show_answers, show_facts
from fleet.run.fanout import Fanout
from fleet.run.job import Job
from fleet.transport import Transport
from tests.unit.fleet.wire import agent, answering, done, hello, job, plan, result

CHANGE: Dict[str, Any] = plan("a")["changes"][0]
COPY = {"run": "r", "at": 1.0, "path": "/p", "type": "file", "mode": "0644", "target": None, "original": True, "role": "r"}

LIES: List[List[Dict[str, Any]]] = [
    [{"type": "result", "status": "changed"}],
    [result("a", "changed", seconds="soon")],
    [result("a", "changed", summary=None)],
    [result("a", "burnt")],
    [{**result("a"), "more": [[[]]]}],
    [{"type": "plan", "changes": [{**CHANGE, "summary": 7}], "errors": []}],
    [{"type": "plan", "changes": {}, "errors": []}],
    [{"type": "waiting", "holder": "me"}],
    [{"type": "finished", "state": "ok"}],
    [{"type": "connecting"}],
    [{"type": "checks", "checks": []}],
    [{"type": "copies", "copies": [{**COPY, "at": 1e300}]}],
    [{"type": "copies", "copies": [{**COPY, "path": 1}]}],
    [plan(), done(reboot=[1])],
    [plan(), done(left=[{"id": "a"}])],
    [plan(), done(changed=float("nan"))],
]


def run(script: List[Dict[str, Any]], greeting: Dict[str, Any], listeners: List[Listener], asked: Job) -> List[HostOutcome]:
    def connect(host: Host, _stop: object) -> Transport:
        if host.name == "honest":
            return agent(answering(plan("a"), result("a", "changed"), done(changed=1)))
        return agent(answering(*script, done()), greeting=greeting)

    with ThreadPoolExecutor(2) as executor:
        hosts = [Host("liar", "10.0.0.1"), Host("honest", "10.0.0.2")]
        return Fanout(asked, connect, listeners).run(hosts, executor)


def listeners(directory: Path, lines: List[str]) -> List[Listener]:
    words = Words(colour=False, diffs=True, plans=True)
    live = LiveTable(lambda put: Lines(put, words))
    return [Record("provision", directory), Document(lines.append), live]


@pytest.mark.parametrize("script", LIES, ids=range(len(LIES)))
def test_what_is_no_message_of_the_protocol_costs_its_own_host_the_run(script: List[Dict[str, Any]], tmp_path: Path) -> None:
    liar, honest = run(script, hello(), listeners(tmp_path, []), job())
    assert (liar.state, honest.state) == ("failed", "changed")
    assert "not of the protocol" in liar.faults[0].brief
    assert list(copies.table([*liar.copies, *honest.copies])) == []


@pytest.mark.parametrize("facts", [{"os": None}, {"os": {}}, {"storage": [{}]}, {"more": [{}, 1]}])
def test_facts_of_another_form_are_refused_before_anybody_hears_them(facts: Dict[str, Any], tmp_path: Path) -> None:
    for mode in ("apply", "facts"):
        liar, honest = run([], hello(**facts), listeners(tmp_path / mode, []), job(mode))
        assert honest.state in ("changed", "ok")
        assert liar.state == "failed" or "more" in facts


def test_answers_steer_no_terminal_and_forge_no_other_hosts_line(capsys: pytest.CaptureFixture[str]) -> None:
    wipe = "\x1b[2J\nhonest: all well"
    asked = HostOutcome("a", answers={"info": Outcome(0, wipe, "")}, facts={"kernel": wipe, "more": [{}, 1], wipe: {}})
    failed = HostOutcome("b", answers={"info": Outcome(1, "", wipe)}, facts={"kernel": "6"})
    show_answers([asked, failed], "info", False)
    show_facts([asked, failed], False)
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\nhonest" not in said.err
    # What a client prints has lines, which stand below its host's name or in its column.
    assert said.out.count("\nhonest") == 1


def test_a_message_is_as_deep_as_the_protocol_draws_it() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(HostError, match="hello"):
        understood({"type": "hello", "protocol": 1, "cached": True, "facts": {"more": deep}})
