"""What the engine and its operator need of the host's package manager. Nothing is removed but what Docker's own engine replaces."""

from __future__ import annotations

import re
from typing import List, Tuple

from fleet.facts import Facts
from fleet.resources import Package, Resource
from fleet.variables import Variables
from roles import engine, interpreter, modules
from roles.packages import docker

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(\([^()\s]*\))*|/[^\s,]+")  # a package, what it provides, or a file of it
NEEDED = ("yum-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables")


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Words that the package manager would take for an option, a group or a pattern."""
    return [
        *docker.refusals(facts, variables),
        *_extra_faults(variables),
    ]


def _extra_faults(variables: Variables) -> List[str]:
    return [
        f"extra_packages: {name!r} is no package's name; give the name of one, without version or architecture."
        for name in variables.strings("extra_packages")
        if not NAME.fullmatch(name)
    ]


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The packages; those of Docker's own engine after what is in their way has gone."""
    extra = variables.strings("extra_packages")
    # Apart from the others: once the modules are there it is declared no more.
    kernel = modules.brought(facts, variables)
    more = [kernel] if kernel else []
    if not engine.is_docker(variables):
        # The runtime's Python among them, where the release has none of its own that is new enough.
        python = interpreter.choose(facts)
        brought = (python.package,) if python and python.package else ()
        return [_needed((*NEEDED, *brought, *extra)), *more]
    gone, *parts = docker.resources(facts, variables)
    # A host that is sent its packages may have no repository that would give it others: it gets what was asked for.
    needed = extra if variables.rpms() else (*NEEDED, *extra)
    return [gone, *([_needed(needed)] if needed else []), *more, *parts]


def _needed(names: Tuple[str, ...]) -> Package:
    return Package(tuple(dict.fromkeys(names)))
