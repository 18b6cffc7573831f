"""SELinux's mode, now and in its file; permissive unless told otherwise, for that is undone by one command."""

from __future__ import annotations

from typing import List

from fleet.facts import Facts
from fleet.resources import Resource, Selinux
from fleet.variables import Variables


def has_selinux(facts: Facts) -> bool:
    """Whether there is anything to set: a kernel that runs it, or its configuration file."""
    return facts.selinux != "disabled" or facts.selinux_file is not None


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Enforcing needs SELinux to be there."""
    if variables.string("selinux") == "enforcing" and not has_selinux(facts):
        return [
            "selinux: enforcing is asked for, and the host has no SELinux; install selinux-policy-targeted, or set another mode."
        ]
    return []


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The mode, where there is SELinux and it is not kept."""
    mode = variables.string("selinux")
    if mode == "kept" or not has_selinux(facts):
        return []
    return [Selinux(mode)]
