"""What the runtime and its operator need of the host's package manager, in one transaction. Nothing is removed."""

from __future__ import annotations

import re
from typing import List

from fleet.facts import Facts
from fleet.resources import Package, Resource
from fleet.variables import Variables
from roles import interpreter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(\([^()\s]*\))*|/[^\s,]+")  # a package, what it provides, or a file of it
NEEDED = ("yum-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables")


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Words that the package manager would take for an option, a group or a pattern."""
    return [
        f"extra_packages: {name!r} is no package's name; give the name of one, without version or architecture."
        for name in variables.strings("extra_packages")
        if not NAME.fullmatch(name)
    ]


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The packages, the runtime's Python among them where the release has none of its own that is new enough."""
    python = interpreter.choose(facts)
    brought = (python.package,) if python and python.package else ()
    return [Package(tuple(dict.fromkeys((*NEEDED, *brought, *variables.strings("extra_packages")))))]
