"""Which package brings the kernel modules that a host lacks."""

from __future__ import annotations

import re
from typing import Optional

from fleet.facts import Facts
from fleet.resources import Package
from fleet.variables import Variables
from roles import engine

NAME = "kernel-modules-extra"
# Oracle's own kernel keeps overlay with itself, and br_netfilter there from its release 8 on, which is 6.12. From then on it has
# its modules in several packages; before, the one named as the kernel brings them.
UEK, UEK_8 = "kernel-uek-modules-extra-netfilter", (6, 12)
# A kernel of the release's own, of no variant (+debug, 64k), which has other packages: their version, and the architecture.
# Rebuilds of Red Hat's add numbers of their own: 6.12.0-211.16.1.el10_2.0.1.
KERNEL = re.compile(r"((\d+)\.(\d+)\S*\.el\d+(?:[._]\d+)*(uek)?)\.(?:x86_64|aarch64)")
# Where the kernel is the host's own. All else that the agent names is a container, whose modules are the machine's outside.
MACHINES = {"none", "unknown", "kvm", "qemu", "vmware", "oracle", "microsoft", "xen", "amazon", "google"}


def brought(facts: Facts, variables: Variables) -> Optional[Package]:
    """The extra modules of the kernel that runs; None where nothing is missing, or no package would bring it.

    Release 10 has moved modules there that all before it had with the kernel. A host that is sent its packages may have no
    repository that would give it more.
    """
    own = KERNEL.fullmatch(facts.kernel)
    if (facts.overlay and facts.br_netfilter) or own is None or facts.virtualisation not in MACHINES:
        return None
    if engine.is_docker(variables) and variables.rpms():
        return None
    version, name = (int(own[2]), int(own[3])), UEK if own[4] else NAME
    there = facts.overlay and version >= UEK_8 if own[4] else facts.os_major >= 10
    return Package((name,), versions={name: own[1]}) if there else None


def overlay_package(kernel: str) -> str:
    """The package that has overlayfs for this kernel, whose name ends with the kernel's version."""
    own = KERNEL.match(kernel)
    if own is None or not own[4]:
        return f"{NAME}-{kernel}"
    return f"kernel-uek-modules-core-{kernel}" if (int(own[2]), int(own[3])) >= UEK_8 else f"kernel-uek-{kernel}"
