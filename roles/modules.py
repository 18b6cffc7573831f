"""Which package brings the kernel modules that a host lacks."""

from __future__ import annotations

import re
from typing import Optional

from fleet.facts import Facts
from fleet.resources import Package
from fleet.variables import Variables
from roles import engine

NAME = "kernel-modules-extra"
# A kernel of the release's own, of no variant (+debug, uek), which has other packages: their version, and the architecture.
KERNEL = re.compile(r"(\d\S*\.el\d+(?:_\d+)?)\.(?:x86_64|aarch64)")
# Where the kernel is the host's own. All else that the agent names is a container, whose modules are the machine's outside.
MACHINES = {"none", "unknown", "kvm", "qemu", "vmware", "oracle", "microsoft", "xen", "amazon", "google"}


def brought(facts: Facts, variables: Variables) -> Optional[Package]:
    """The extra modules of the kernel that runs; None where nothing is missing, or this package would not bring it.

    Release 10 has moved modules there that all before it had with the kernel. A host that is sent its packages may have no
    repository that would give it more.
    """
    own = KERNEL.fullmatch(facts.kernel)
    if (facts.overlay and facts.br_netfilter) or facts.os_major < 10 or own is None:
        return None
    if facts.virtualisation not in MACHINES:
        return None
    if engine.is_docker(variables) and variables.rpms():
        return None
    return Package((NAME,), versions={NAME: own[1]})
