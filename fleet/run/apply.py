"""Carries out a saved plan, or shows it: options in; outcomes and an exit status out."""

from __future__ import annotations

import dataclasses
import fnmatch
import sys
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.inventory.model import Host, Inventory
from fleet.inventory.patterns import LOCAL, is_literal, select
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_error, write_line
from fleet.progress.words import Words, wants_colour
from fleet.roles import defaults
from fleet.run import again, built, task
from fleet.run.answers import print_json
from fleet.run.connector import Connector
from fleet.run.inventories import open_inventory
from fleet.run.job import APPLY
from fleet.run.task import Options
from fleet.saved import file
from fleet.saved.file import SavedPlan
from fleet.saved.seal import Key, own_key


def apply(path: str, options: Options) -> Tuple[List[HostOutcome], int]:
    """Carries a saved plan out, each host's on that host alone, if it is as it was.

    Raises:
        UsageError: the file, an option, the inventory or a role is faulty; nothing was connected to.
    """
    plan = file.read(Path(path))
    file.refuse_shared(plan)
    told = plan.manifest
    inventory = open_inventory(options.inventory)
    options = dataclasses.replace(
        options,
        hosts=options.hosts or everybody(plan, inventory),
        roles=",".join(told["roles"]),
        role_path=options.role_path or told["role_path"],
    )
    task.check_options(options)
    roles, declared, complete = task.open_roles(options)
    extra = task.settings(options.settings)
    defaults.check(declared, [*inventory.variables(), *task.variables_of(extra)])
    refuse_unset(plan, extra)
    inputs = {**built.inputs(roles), **told["inputs"]}
    given = {"roles": roles, "complete": complete, "declared": declared, "inputs": inputs}
    job = task.job(options, mode=APPLY, saved=plan, key=key_of(plan), **given)
    hosts = chosen(plan, inventory, options, extra)
    connector = Connector(task.login(options), job.fetch)
    return task.execute("apply", job, hosts, connector, options, quiet=False)


def refuse_unset(plan: SavedPlan, extra: Collection[str]) -> None:
    """Insists on what was set on the command line when the plan was made.

    Raises:
        UsageError: something is not.
    """
    missing = [name for name in plan.manifest["set"] if name not in extra]
    if missing:
        words = " ".join(f"--set {name}=..." for name in missing)
        raise UsageError(f"{plan.path}: was made with {words}", "a plan keeps no value of the command line", f"give {words} again")


def key_of(plan: SavedPlan) -> Optional[Key]:
    """The key that the plan's secrets were sealed with; None where it has none.

    Raises:
        UsageError: it is another control machine's.
    """
    if not any(plan.host(name).sealed for name in plan.hosts):
        return None
    key = own_key(make=False)
    if key is None or key.name != plan.manifest["key"]:
        raise UsageError(
            f"{plan.path}: holds sealed secrets, and was made on another control machine",
            "the key that sealed them is in the state directory there",
            "apply it there, or make a new plan here",
        )
    return key


def everybody(plan: SavedPlan, inventory: Inventory) -> str:
    """The pattern of all the plan's hosts.

    Raises:
        UsageError: one is in no inventory any more.
    """
    for name in plan.hosts:
        if not (name in inventory.names or is_literal(name) or name == LOCAL):
            cure = "bring it back, or choose others by --hosts"
            raise UsageError(f"{plan.path}: {name} is in the plan and in no inventory", resolution=cure)
    return ",".join(plan.hosts)


def chosen(plan: SavedPlan, inventory: Inventory, options: Options, extra: Dict[str, Any]) -> Sequence[Host]:
    """The plan's hosts among those that --hosts names, as the inventory has them now.

    Raises:
        UsageError: none is left.
    """
    hosts = select(inventory, again.expanded(options.hosts, inventory.names, write_error), extra)
    left_out: Dict[str, str] = plan.manifest["left_out"]
    for host in hosts:
        if host.name not in plan.hosts:
            why = f": {left_out[host.name]}" if host.name in left_out else ""
            write_error(f"{host.name}: is not in {plan.path}{on_one_line(why)}")
    found = [host for host in hosts if host.name in plan.hosts]
    if not found:
        raise UsageError(f"--hosts: none of these is in {plan.path}", resolution=f"it has a plan for {', '.join(plan.hosts)}")
    return found


def show(path: str, hosts: str, as_json: bool) -> None:
    """Prints a saved plan; nothing is connected to, and no inventory read: `hosts` are names and globs.

    Raises:
        UsageError: the file cannot be read or is no saved plan, or no such host is in it.
    """
    plan = file.read(Path(path))
    globs = task.words(hosts) or ["*"]
    names = [name for name in plan.hosts if any(name == word or fnmatch.fnmatchcase(name, word) for word in globs)]
    if not names:
        raise UsageError(f"--hosts: none of these is in {plan.path}", resolution=f"it has a plan for {', '.join(plan.hosts)}")
    if as_json:
        print_json(document(plan, names))
        return
    told = plan.manifest
    write_line(on_one_line(f"planned {told['made']} by {told['who']} as {told['run']}; roles {', '.join(told['roles'])}"))
    words = Words(wants_colour(sys.stdout), diffs=True, plans=True)
    for name in names:
        for line in words.of(Event(name, "plan", plan.host(name).plan.as_json())):
            write_line(line)
    for name, why in told["left_out"].items():
        write_line(on_one_line(f"{name}: was left out: {why}"))


def document(plan: SavedPlan, names: Sequence[str]) -> Dict[str, Any]:
    """A saved plan as plain data: its hosts' plans have the form that `plan --json` gives them."""
    told = {name: plan.manifest[name] for name in ("format", "run", "who", "made", "roles", "left_out")}
    hosts = {}
    for name in names:
        saved = plan.host(name)
        hosts[name] = {"target": saved.target, "secrets": sorted(saved.sealed), "plan": saved.plan.as_json()}
    return {**told, "hosts": hosts}
