"""Hosts of every release, recorded, and what each is to become, a line a resource.

releases/ has their own texts and figures, each with its source; recorded_root.py has the agent gather its facts from them.
`python -m tests.unit.roles.releases`, in the repository's root, writes plans/ anew. Read the diff: it is what changes on hosts.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Union, cast

import pytest

from fleet.facts import Facts
from fleet.resources import Archive, Command, Handler, Module, Package, Repository, Resource, Selinux, Sysctl, Template
from fleet.roles import ORDER
from fleet.roles.loader import BUILT_IN, load_role
from fleet.roles.templates import render
from tests.unit.roles import recorded_root
from tests.unit.roles.hosts import variables

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE / "releases").glob("*.json"))
ENGINES = ("skiff", "docker-ce")
# What releases differ in: of all other kinds the name is enough.
WHOLE = (Archive, Command, Module, Package, Repository, Selinux, Sysctl)


@functools.cache
def gathered() -> Dict[str, Dict[str, Any]]:
    """What the agent tells of each host."""
    program = [sys.executable, "-m", recorded_root.__name__, *NAMES]
    done = subprocess.run(program, cwd=HERE.parents[2], capture_output=True, text=True, check=False)
    if done.returncode == recorded_root.LACKING:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return cast(Dict[str, Dict[str, Any]], json.loads(done.stdout))


def recorded(name: str, **changes: Any) -> Facts:
    """A host's facts, as the agent gathered them; `changes` are those of another such host."""
    return Facts.from_wire({**gathered()[name], **changes})


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
