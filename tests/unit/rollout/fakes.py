"""Hosts for rollouts, in this process: each remembers its versions and answers on the wire as an agent would.

What the control side does is the real thing, from the rollout's steps down to the frames.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from fleet.content import Content
from fleet.errors import UnreachableError
from fleet.events import Event, HostOutcome, Listener
from fleet.inventory.model import Host
from fleet.rollout import journal
from fleet.rollout.crew import Crew
from fleet.rollout.journal import Journal
from fleet.rollout.position import Position, Terms
from fleet.rollout.rollout import Rollout
from fleet.run import task
from fleet.run.fanout import Fanout
from fleet.run.job import APPLY, Job
from fleet.run.places import Limits
from fleet.run.task import Options
from fleet.transport import Transport
from fleet.transport.fake import FakeTransport
from fleet.transport.stop import Stop
from tests.unit.fleet.wire import agent, done, plan, result

SUCCESSION: Dict[str, Any] = {"follows": "0.1.0", "shims": [1, 1]}
IDS = ("succession:/opt/skiff", "link:/opt/skiff/current", "unit:skiff.service")


class Killed(BaseException):
    """The control process is gone: nothing in it runs any more."""


@dataclass
class Simulated:
    """One host. `bad` versions do not serve, `refuses` cannot be changed to; `restarts` counts those of the daemon."""

    name: str
    current: Optional[str] = "0.1.0"
    past: List[str] = field(default_factory=list)
    kept: Set[str] = field(default_factory=lambda: {"0.1.0"})
    shims: Dict[str, int] = field(default_factory=dict)
    reachable: bool = True
    bad: Set[str] = field(default_factory=set)
    refuses: Set[str] = field(default_factory=set)
    restarts: int = 0
    asked: List[Tuple[str, bool]] = field(default_factory=list)

    def connect(self) -> Transport:
        if not self.reachable:
            return FakeTransport(lambda _: None, fault=UnreachableError(f"{self.name} does not answer"))  # type: ignore[arg-type, return-value] # never opened
        return agent(self.answer)

    def answer(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if message["type"] != "desired":
            return [done(interrupted=True)] if message["type"] == "stop" else []
        if any(probe["name"] == "/versions" for probe in message["probes"]):
            return [plan(), self.told(), done()]
        self.asked.append((message["mode"], bool(message["probes"])))
        (wanted,) = [one for one in message["resources"] if one["kind"] == "succession"]
        (archive,) = [one for one in message["resources"] if one["kind"] == "archive"]
        if message["mode"] == "verify":
            drifted = self.current != wanted["version"] or self.current in self.bad
            return [plan("unit:skiff.service"), done(changed=1)] if drifted else [plan(), done()]
        return list(self.changes(wanted["version"], archive["content"]))

    def told(self) -> Dict[str, Any]:
        import json

        runs = [self.current] if self.current else []
        found = {
            "current": self.current, "past": self.past, "kept": dict.fromkeys(sorted(self.kept), SUCCESSION), "daemon": runs,
            "launcher": runs, "shims": self.shims,
        }  # fmt: skip
        one = {"name": "/versions", "status": 0, "stdout": json.dumps(found), "stderr": "", "seconds": 0}
        return {"type": "probes", "results": [one]}

    def changes(self, version: str, content: object) -> Iterator[Mapping[str, Any]]:
        if version == self.current:
            yield from (plan(), *(result(name) for name in IDS), done())
            return
        yield plan(*IDS)
        if version in self.refuses or (content is None and version not in self.kept):
            error = {"brief": "no space left to write /opt/skiff", "details": "", "resolution": ""}
            yield from (result(IDS[0], "failed", error=error), done(failed=1))
            return
        assert self.current is not None
        self.past = self.past[: self.past.index(version)] if version in self.past else [*self.past, self.current]
        self.kept.add(version)
        self.current = version
        self.restarts += 1
        yield from (*(result(name, "changed") for name in IDS), done(changed=3))


@lru_cache(None)
def base() -> Dict[str, Any]:
    """What the real roles and their variables add to a job."""
    roles, declared, _ = task.open_roles(Options("all", roles="runtime,service"))
    return {"roles": roles, "complete": False, "declared": declared}


@dataclass
class Fleet:
    """Simulated hosts and a control machine, whose process may be killed and begun again."""

    hosts: Dict[str, Simulated]
    said: List[str] = field(default_factory=list)
    met: List[Tuple[str, str]] = field(default_factory=list)
    listeners: List[Listener] = field(default_factory=list)
    on_event: Callable[[Event], None] = lambda _: None
    forks: int = 8
    memory: List[int] = field(default_factory=list)

    @classmethod
    def of(cls, count: int, **fields: Any) -> Fleet:
        names = [f"h{number:02}" for number in range(1, count + 1)]
        return cls({name: Simulated(name, **fields) for name in names})

    def fan(self, job: Job, hosts: Sequence[Host], listeners: Sequence[Listener]) -> Tuple[List[HostOutcome], bool]:
        def connect(host: Host, _: Stop) -> Transport:
            self.met.append((job.mode, host.name))
            return self.hosts[host.name].connect()

        with ThreadPoolExecutor(self.forks) as executor:
            fanout = Fanout(job, connect, [self, *listeners], Limits(self.forks, self.forks))
            return fanout.run(hosts, executor), fanout.stopping.is_set()

    def begin(self, run: str, hosts: List[str]) -> None:
        """One run of many."""

    def hear(self, event: Event) -> None:
        self.on_event(event)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """The rollout goes on."""

    def start(self, name: str, terms: Terms, to: str = "0.2.0", verb: str = "upgrade", back: bool = False) -> Journal:
        book = journal.create(name)
        book.write(
            "begin",
            directory="/",
            verb=verb,
            to=to,
            bundle=None,
            back=back,
            who="me",
            hosts=list(self.hosts),
            terms=vars(terms),
            options={},
        )
        return book

    def crew(self, book: Journal) -> Crew:
        begun = book.lines[0]
        inputs = {
            "bundle": Content.of(b"bundle"), "bundle_version": begun["to"], "probe_images": {},
            "succession": {**SUCCESSION, "back": begun["back"]},
        }  # fmt: skip
        job = Job(APPLY, inputs=inputs, timeout=60, **base())
        hosts = [Host(name, "10.0.0.1") for name in self.hosts]
        return Crew(hosts, job, begun["verb"], begun["to"], self.fan, self.listeners, lambda _: [])

    def go(self, book: Journal) -> Tuple[Position, List[HostOutcome], bool]:
        """On to the end of the rollout, or of the process."""
        crew = self.crew(book)
        rollout = Rollout(book, crew, self.said.append)
        try:
            ended = rollout.run()
        finally:
            book.close()
        return rollout.position, crew.outcomes(rollout.position), ended

    def resumed(self, name: str) -> Tuple[Position, List[HostOutcome], bool]:
        """Another process goes on."""
        book = journal.resume(journal.find(name))
        book.write("resumed", run="again", who="me")
        return self.go(book)

    def versions(self) -> Dict[str, Optional[str]]:
        return {name: host.current for name, host in self.hosts.items()}


def terms(batches: str = "1,10%,50%", gates: Sequence[str] = ("verify",), most: str = "0", on_failure: str = "rollback") -> Terms:
    return Terms(batches, list(gates), most, on_failure)
