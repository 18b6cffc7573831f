"""firewalld off and masked, or kept: restarted beside a container engine, it removes the engine's chains."""

from __future__ import annotations

from typing import List

from fleet.facts import Facts
from fleet.resources import Resource, Unit
from fleet.variables import Variables

UNIT = "firewalld.service"
# It answers once it can be told to end: cut off before, it leaves its rules, and nobody clears them away.
SETTLED = ("firewall-cmd", "--state")


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The unit of firewalld, where it is installed and not kept."""
    if variables.string("firewalld") == "kept" or not facts.firewalld:
        return []
    return [Unit(UNIT, enabled=False, active=False, masked=True, settled=SETTLED)]
