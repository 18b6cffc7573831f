"""Kernel modules and parameters that containers need: modules first, for the net.bridge keys do not exist before br_netfilter."""

from __future__ import annotations

import re
from typing import Dict, List

from fleet.facts import Facts
from fleet.resources import Module, Resource, Sysctl
from fleet.variables import Variables
from roles import modules

FILE = "99-skiff"
FORWARDING = {"net.ipv4.ip_forward": "1"}
BRIDGE = {"net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
DETACH = "fs.may_detach_mounts"
NAMESPACES, ENOUGH = "user.max_user_namespaces", "28633"
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
    """The modules, then the parameters; those of br_netfilter where the kernel has it, or a package brings it before."""
    loaded: List[Resource] = [Module("overlay")]
    wanted: Dict[str, str] = {**FORWARDING, **_of_release_7(facts)}
    if facts.br_netfilter or modules.brought(facts, variables):
        loaded.append(Module("br_netfilter"))
        wanted.update(BRIDGE)
    wanted.update({name: str(value) for name, value in variables.mapping("sysctls").items()})
    return [*loaded, Sysctl(FILE, wanted)]


def _of_release_7(facts: Facts) -> Dict[str, str]:
    """What its kernel has off, and all later ones on. A number of user namespaces that somebody has chosen is kept.

    A zero on a later release is somebody's choice, and none of the kernel's.
    """
    if facts.os_major != 7:
        return {}
    wanted = {DETACH: "1"} if DETACH in facts.sysctls else {}
    if NAMESPACES in facts.sysctls:
        wanted[NAMESPACES] = ENOUGH if facts.sysctls[NAMESPACES] == "0" else facts.sysctls[NAMESPACES]
    return wanted
