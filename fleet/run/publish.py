"""Publishes what hosts are to be, for those that pull: options in; a directory, what is told of each host, and a status out."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from fleet import state
from fleet.errors import FleetError, UsageError
from fleet.inventory.model import Host
from fleet.inventory.patterns import select
from fleet.number import whole
from fleet.progress.output import write_error, write_line
from fleet.pull.directory import PLAIN, Directory
from fleet.pull.keys import Keys, Signer, write
from fleet.pull.state import Edition, published
from fleet.roles import defaults
from fleet.run import again, built, desired, task
from fleet.run.answers import print_json
from fleet.run.inventories import open_inventory
from fleet.run.job import CHECK, Job
from fleet.run.lastfacts import Known, last_facts
from fleet.run.task import Options
from fleet.saved.seal import Key, own_key

DAY = 86400
GATHER = "gather them: ./inv facts --hosts {}"


@dataclass
class Told:
    """What is said of a host: why it is left out, or whether its state is new, and the time of the facts that it was made from."""

    state: str
    facts_at: Optional[float] = None
    faults: List[str] = field(default_factory=list)
    resolution: str = ""


def publish(options: Options, out: str, expires: str) -> int:
    """Publishes for every host that can be; the exit status is 2 if one was left out.

    Raises:
        FleetError: an option, the inventory, a role or the key is faulty, or the directory cannot be written.
    """
    if not out:
        raise UsageError("--out is missing", resolution="name the directory that is published")
    days = whole("--expires", expires, 1)
    task.check_options(options)
    inventory = open_inventory(options.inventory)
    roles, declared, complete = task.open_roles(options)
    extra = task.settings(options.settings)
    defaults.check(declared, [*inventory.variables(), *task.variables_of(extra)])
    hosts = select(inventory, again.expanded(options.hosts, inventory.names, write_error), extra)
    sign = Keys().signer(lambda: task.secret("SKIFF_PULL_PASSPHRASE", not os.environ.get("SKIFF_PULL_PASSPHRASE"), "passphrase: "))
    key = own_key(make=True)
    assert key is not None
    given = {"roles": roles, "complete": complete, "declared": declared}
    job = task.job(options, mode=CHECK, inputs=built.inputs(roles), rpms=built.rpms(hosts), **given)
    directory = Directory(Path(out))
    edition = next_edition(job.who.partition(" pid ")[0], days)
    known = last_facts({host.name for host in hosts})
    told = {}
    for host in hosts:
        told[host.name] = one(host, job, known.get(host.name), edition, key, sign, directory)
        if not options.json:
            say(host.name, told[host.name])
    removed = directory.sweep()
    conclude(told, edition, directory, removed, options.json)
    return 2 if any(each.state == "left out" for each in told.values()) else 0


def one(host: Host, job: Job, known: Optional[Known], edition: Edition, key: Key, sign: Signer, directory: Directory) -> Told:
    """One host's part, written; or why it is not.

    Raises:
        FleetError: the directory cannot be written.
    """
    if not PLAIN.fullmatch(host.name):
        return Told(
            "left out", None, ["its name is no plain one"], "give it a name of letters, digits, dots and dashes in the inventory"
        )
    if known is None:
        return Told("left out", None, ["nothing is known of it: no record has its facts"], GATHER.format(host.name))
    at, raw = known
    try:
        facts = desired.read_facts(raw)
        variables = desired.variables_of(host, job)
        refused = desired.refusals(job, facts, variables)
        if refused:
            return Told("left out", at, [f"{role}: {text}" for role, text in refused])
        wanted = desired.wanted(job, host.name, facts, variables)
        made = published(host.name, raw, wanted, edition, key.of_host(host.name), sign)
    except FleetError as error:
        return Told("left out", at, [error.brief, *error.details.splitlines()], error.resolution)
    return Told("new" if directory.put(host.name, made) else "as before", at)


def next_edition(who: str, days: int) -> Edition:
    """A new edition, with a serial above all that this control machine gave: seconds since 1970, so another machine's are alike.

    Raises:
        FleetError: it cannot be written down.
    """
    now = int(time.time())
    path = state.directory() / "pull" / "serial"
    try:
        state.prepare(path.parent)
        last = int(path.read_text("ascii")) if path.exists() else 0
        serial = max(now, last + 1)
        write(path, f"{serial}\n".encode())
    except (OSError, ValueError) as error:
        raise FleetError(f"{path}: the last serial cannot be had: {error}", resolution="mend or remove it") from error
    return Edition(serial, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)), who, now + days * DAY)


def say(host: str, told: Told) -> None:
    """A line of a host, and what stands against it."""
    gathered = f"; facts of {time.strftime('%Y-%m-%d %H:%M', time.localtime(told.facts_at))}" if told.facts_at else ""
    if not told.faults:
        write_line(f"{host}: {told.state}{gathered}")
        return
    write_error(f"{host}: left out: {told.faults[0]}")
    for line in told.faults[1:]:
        write_error(f"  {line}")
    if told.resolution:
        write_error(f"  -> {told.resolution}")


def conclude(told: Mapping[str, Told], edition: Edition, directory: Directory, removed: int, as_json: bool) -> None:
    """The sum."""
    good = [each for each in told.values() if not each.faults]
    if as_json:
        hosts: Dict[str, Any] = {host: vars(each) for host, each in told.items()}
        print_json({**edition.told, "hosts": hosts, "objects": {"written": directory.written, "removed": removed}})
        return
    write_line(
        f"{directory.path}: serial {edition.serial} for {len(good)} of {len(told)} hosts; "
        f"{directory.written} objects written, {removed} removed; "
        f"expires {time.strftime('%Y-%m-%d', time.localtime(edition.expires))}"
    )
