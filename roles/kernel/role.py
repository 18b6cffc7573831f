"""Kernel modules and parameters that containers need: modules first, for the net.bridge keys do not exist before br_netfilter."""

from __future__ import annotations

import re
from typing import Dict, List

from fleet.facts import Facts
from fleet.resources import Module, Resource, Sysctl
from fleet.variables import Variables

FILE = "99-skiff"
FORWARDING = {"net.ipv4.ip_forward": "1"}
BRIDGE = {"net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
NAME = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_*:-]+)+")


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Parameters that sysctl could not read."""
    found = []
    for name, value in variables.mapping("sysctls").items():
        if not NAME.fullmatch(name):
            found.append(f"sysctls: {name!r} is no name of a kernel parameter; write it as in net.core.somaxconn.")
        elif isinstance(value, bool) or not isinstance(value, (str, int)) or "\n" in str(value):
            found.append(f"sysctls: {name} should be a number or a line of text, not {value!r}.")
    return found


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The modules, then the parameters; those of br_netfilter where the kernel has it."""
    modules: List[Resource] = [Module("overlay")]
    wanted: Dict[str, str] = dict(FORWARDING)
    if facts.br_netfilter:
        modules.append(Module("br_netfilter"))
        wanted.update(BRIDGE)
    wanted.update({name: str(value) for name, value in variables.mapping("sysctls").items()})
    return [*modules, Sysctl(FILE, wanted)]
