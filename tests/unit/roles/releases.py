"""Hosts of every release, as their os-release and kernels tell them, and what each is to become, a line a resource.

`python -m tests.unit.roles.releases`, in the repository's root, writes plans/ anew. Read the diff: it is what changes on hosts.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any, Dict, List, Union
from unittest import mock

from fleet.agent import facts as agent
from fleet.facts import Facts
from fleet.resources import Archive, Command, Handler, Module, Package, Repository, Resource, Selinux, Sysctl, Template
from fleet.roles import ORDER
from fleet.roles.loader import BUILT_IN, load_role
from fleet.roles.templates import render
from tests.unit.roles.hosts import RAW, variables

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE / "releases").glob("*.json"))
ENGINES = ("skiff", "docker-ce")
# What releases differ in: of all other kinds the name is enough.
WHOLE = (Archive, Command, Module, Package, Repository, Selinux, Sysctl)


def recorded(name: str, **changes: Any) -> Facts:
    """A host's facts; its os-release is read by the agent's own reader."""
    document = json.loads((HERE / "releases" / f"{name}.json").read_text())
    with mock.patch.object(agent, "read", return_value="\n".join(document["os_release"])):
        system = agent._os_release()
    return Facts.from_wire({**copy.deepcopy(RAW), **document["facts"], "os": system, **changes})


def plans(name: str) -> Dict[str, List[str]]:
    """What is planned, or refused, for each engine; with SELinux off and CentOS's own repositories replaced."""
    host = recorded(name)
    return {engine: _plan(host, engine) for engine in ENGINES}


def _plan(host: Facts, engine: str) -> List[str]:
    mirror = "official" if host.os_id == "centos" else "kept"
    given = variables(engine=engine, package_mirror=mirror, selinux="disabled")
    roles = [load_role(role, BUILT_IN / role) for role in ORDER]
    refused = [f"{role.name}: refused: {text}" for role in roles for text in role.refusals(host, given)]
    return refused or [line for role in roles for item in role.resources(host, given) for line in _lines(role.name, item)]


def _lines(role: str, item: Union[Resource, Handler]) -> List[str]:
    resource = item.resource if isinstance(item, Handler) else item
    if isinstance(resource, Template) and role == "repositories":
        text = render(BUILT_IN.parent / "templates" / role, resource.template, resource.variables).decode()
        return [f"{role}: {resource.path}: {line}" for line in text.splitlines() if line and not line.startswith("#")]
    if not isinstance(resource, WHOLE):
        return [f"{role}: {resource.id}"]
    return [f"{role}: {type(resource).__name__} {_fields(resource)}"]


def _fields(resource: Resource) -> str:
    """The fields that have a plain value, those that are empty left out."""
    values = {field.name: getattr(resource, field.name) for field in dataclasses.fields(resource)}
    return " ".join(f"{name}={value}" for name, value in values.items() if value and isinstance(value, (str, tuple, dict)))


if __name__ == "__main__":
    for one in NAMES:
        (HERE / "plans" / f"{one}.json").write_text(json.dumps(plans(one), indent=2) + "\n")
