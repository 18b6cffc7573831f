"""What `upgrade` and `rollback` do with their options: a new rollout or one that is resumed, and the exit status."""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from fleet.bundle import BundleResult
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome, Listener
from fleet.inventory.model import Host
from fleet.inventory.patterns import select
from fleet.progress.lines import Lines
from fleet.progress.output import write_error, write_line
from fleet.progress.quantity import quantity
from fleet.progress.words import Words, wants_colour
from fleet.record import Record
from fleet.roles import defaults
from fleet.rollout import batches, gate, journal, offer, position
from fleet.rollout.crew import UPGRADE, Crew, Fan, Show
from fleet.rollout.journal import Journal
from fleet.rollout.position import ROLLBACK, STOP, Position, Terms
from fleet.rollout.rollout import Rollout
from fleet.run import again, built, engine, resume, task
from fleet.run.answers import print_json
from fleet.run.connector import Connector
from fleet.run.fanout import Fanout
from fleet.run.inventories import open_inventory
from fleet.run.job import APPLY, Job
from fleet.run.task import Options
from fleet.share import Share

ROLES = "runtime,service"


@dataclass(frozen=True)
class Wish:
    """What a rollout is to do: its verb, the version or bundle (of a rollback, empty: each host's previous version), its terms."""

    verb: str
    to: str
    terms: Terms
    back: bool = False


def terms(batch: str, gates: Sequence[str], max_failures: str, on_failure: str) -> Terms:
    """The terms that options give.

    Raises:
        UsageError: one is faulty.
    """
    batches.sizes(batch)
    Share.parse("--max-failures", max_failures, 0)
    if on_failure not in (ROLLBACK, STOP):
        raise UsageError(f"--on-failure: should be {ROLLBACK} or {STOP}, not {on_failure!r}")
    return Terms(batch, gate.gates(gates), max_failures, on_failure)


def begin(wish: Wish, options: Options) -> int:
    """A new rollout; its exit status.

    Raises:
        UsageError: an option, the inventory or a role is faulty; nothing was connected to.
    """
    options = dataclasses.replace(options, roles=ROLES)
    task.check_options(options)
    if not wish.to and wish.verb == UPGRADE:
        raise UsageError("--to is missing", resolution="name a version whose bundle is in dist/, or a bundle's file")
    bundle = offer.find(wish.to) if wish.verb == UPGRADE else None
    job, hosts = prepared(wish, bundle, options)
    with journal.closing(journal.create(job.run)) as book:
        book.write(
            "begin",
            verb=wish.verb,
            to=bundle.version if bundle else wish.to,
            bundle={"path": str(bundle.path), "sha256": bundle.sha256} if bundle else None,
            back=wish.back,
            directory=os.getcwd(),
            who=job.who,
            hosts=[host.name for host in hosts],
            terms=dataclasses.asdict(wish.terms),
            options=resume.repetition(APPLY, vars(options), None)["options"],
        )
        return conducted(book, job, hosts, options, "")


def go_on(name: str, verb: str, asked: Mapping[str, Any]) -> int:
    """The rest of a rollout, of the last one without a name; `asked` are options of this time. Its exit status.

    Raises:
        UsageError: there is nothing to resume, or it cannot be.
    """
    path = journal.find(name) if name else last_open(verb)
    if path is None:
        raise UsageError(f"there is no {verb} to resume", resolution="begin one: hosts already there are left alone")
    with journal.closing(journal.resume(path)) as book:
        told = position.replay(book.lines)
        if not told.begun:
            raise UsageError(f"{path}: its rollout was killed before it began", resolution="begin it again")
        if told.over:
            raise UsageError(f"{told.begun['verb']} {book.name} has ended: {told.state}", told.why, "begin a new one")
        begun = told.begun
        kept = {name: value for name, value in begun["options"].items() if name in Options.__dataclass_fields__}
        options = Options(hosts=",".join(begun["hosts"]), **{**kept, **asked})
        wish = Wish(begun["verb"], begun["to"], told.terms, begun["back"])
        bundle = same_bundle(begun["bundle"]) if begun["bundle"] else None
        job, hosts = prepared(wish, bundle, options)
        book.write("resumed", run=job.run, who=job.who)
        write_error(f"resuming {begun['verb']} {book.name}: {len(hosts)} hosts")
        return conducted(book, job, hosts, options, book.name)


def last_open(verb: str) -> Optional[Path]:
    """The journal of the newest rollout that has not come to its end; None if there is none."""
    for path in journal.journals():
        with journal.closing(journal.resume(path)) as book:
            told = position.replay(book.lines)
        if told.begun and told.begun["verb"] == verb:
            return None if told.over else path
    return None


def same_bundle(kept: Mapping[str, str]) -> BundleResult:
    """The bundle that a rollout began with.

    Raises:
        UsageError: it is no longer there, or another.
    """
    found = offer.read(Path(kept["path"]))
    if found.sha256 != kept["sha256"]:
        raise UsageError(
            f"{kept['path']}: is another bundle than the rollout began with",
            f"sha256 {found.sha256}, and it was {kept['sha256']}",
            "bring that one back, or begin a new rollout",
        )
    return found


def prepared(wish: Wish, bundle: Optional[BundleResult], options: Options) -> Tuple[Job, Sequence[Host]]:
    """The job that all steps share, and the hosts."""
    inventory = open_inventory(options.inventory)
    roles, declared, _ = task.open_roles(options)
    defaults.check(declared, inventory.variables())
    hosts = select(inventory, again.expanded(options.hosts, inventory.names, write_error), {})
    inputs = built.inputs(roles, bundle)
    inputs["succession"] = {**inputs["succession"], "back": wish.back}
    return task.job(options, mode=APPLY, roles=roles, complete=False, declared=declared, inputs=inputs), hosts


def conducted(book: Journal, job: Job, hosts: Sequence[Host], options: Options, resumes: str) -> int:
    """Runs it, with its record and what is shown; the exit status."""
    begun = position.replay(book.lines).begun
    record = Record(begun["verb"], who=job.who, about={"rollout": book.name, **({"resumes": resumes} if resumes else {})})
    put = write_error if options.json else write_line
    crew = Crew(hosts, job, begun["verb"], begun["to"], fan(options, job), [record], shown(options))
    rollout = Rollout(book, crew, put)
    record.begin(job.run, [host.name for host in hosts])
    going = f"{begun['verb']} {book.name}" + (f" to {begun['to']}" if begun["to"] else "")
    put(f"{going}: {quantity(len(hosts), 'host')}, batches {rollout.position.terms.batches}")
    ended = rollout.run()
    outcomes = crew.outcomes(rollout.position)
    for outcome in outcomes:  # a host's last run is not all that became of it
        record.hear(Event(outcome.host, "finished", outcome.as_json()))
    record.end(outcomes, not ended)
    if options.json:
        print_json(document(book.name, rollout.position, outcomes, not ended))
    else:
        for line in closing(going, rollout.position, ended):
            put(line)
    return status(rollout.position, ended)


def fan(options: Options, job: Job) -> Fan:
    """One run of the engine over some hosts."""
    connector = Connector(task.login(options), job.fetch)
    forks = int(options.forks) if options.forks else None

    def over(job: Job, hosts: Sequence[Host], listeners: Sequence[Listener]) -> Tuple[List[HostOutcome], bool]:
        with engine.opened(options.engine, forks, job, connector, task.own_roles(options)) as used:
            fanout = Fanout(job, connector, listeners, used.limits, used.elsewhere)
            return fanout.run(hosts, used.executor), fanout.stopping.is_set()

    return over


def shown(options: Options) -> Show:
    """What shows one step: its table and its recap, as other tasks have them."""

    def listeners(job: Job) -> Sequence[Listener]:
        words = Words(wants_colour(sys.stderr if options.json else sys.stdout), options.diff, plans=False)
        verb = "changed" if job.mode == APPLY else "drifted"
        if options.json or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            return [Lines(write_error if options.json else write_line, words, verb)]
        from fleet.progress.live import LiveTable

        return [LiveTable(lambda put: Lines(put, words, verb))]

    return listeners


def document(name: str, told: Position, outcomes: Sequence[HostOutcome], interrupted: bool) -> Dict[str, Any]:
    """The whole rollout as plain data."""
    hosts = {}
    for outcome in outcomes:
        looked, line = (told.looked or {}).get(outcome.host, {}), told.of(outcome.host)
        own = {"from": looked.get("from"), "to": looked.get("to"), "state": line["state"], "why": line["why"]}
        hosts[outcome.host] = {**outcome.as_json(), "rollout": own}
    state, taken = told.state or "interrupted", [batch.hosts for batch in told.batches]
    return {
        "run": name,
        "rollout": {"state": state, "why": told.why, "batches": taken},
        "interrupted": interrupted,
        "hosts": hosts,
    }


def closing(going: str, told: Position, ended: bool) -> List[str]:
    """The last lines: how it ended, hosts by what became of them, and those that need a person."""
    lines = [(name, told.of(name)) for name in told.begun["hosts"]]
    states = [line["state"] for _, line in lines]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    state = told.state if ended else "interrupted"
    out = [f"{going}: {state}{f': {told.why}' if told.why else ''}", f"{quantity(len(lines), 'host')}: {counts}"]
    good = (position.CHANGED, position.THERE, position.TO_DO)
    return out + [f"  {name}: {line['state']}: {line['why']}" for name, line in lines if line["state"] not in good]


def status(told: Position, ended: bool) -> int:
    """The exit status: 130 interrupted, 2 a host failed or the rollout did, 3 only unreachable hosts, else 0."""
    if not ended:
        return 130
    states = {told.of(name)["state"] for name in told.begun["hosts"]}
    if told.state != position.DONE or position.FAILED in states:
        return 2
    return 3 if position.UNREACHABLE in states else 0
