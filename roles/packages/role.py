"""What the runtime and its operator need of the host's package manager, in one transaction. Nothing is removed."""

from __future__ import annotations

from typing import List

from fleet.facts import Facts
from fleet.resources import Package, Resource
from fleet.variables import Variables
from roles import interpreter

NEEDED = ("yum-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables")


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The packages, the runtime's Python among them where the release has none of its own that is new enough."""
    python = interpreter.choose(facts)
    brought = (python.package,) if python and python.package else ()
    return [Package(tuple(dict.fromkeys((*NEEDED, *brought, *variables.strings("extra_packages")))))]
