"""Whether SELinux is as declared: in the running kernel, in the file that the next boot reads, and in every boot entry."""

from __future__ import annotations

import re
from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles.selinux.role import has_selinux

FILE = "/etc/selinux/config"
# Set in the file, a mode holds from the next boot on; until then the kernel may have any of these.
LIVE = {
    "permissive": ("permissive", "disabled"),
    "enforcing": ("enforcing",),
    "disabled": ("disabled", "permissive"),
}


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The kernel's word and the file's."""
    if variables.string("selinux") == "kept" or not has_selinux(facts):
        return []
    found = [Probe("kernel", ("cat", "/sys/fs/selinux/enforce")), Probe("file", ("cat", FILE))]
    if variables.string("selinux") == "disabled" and facts.os_major not in (7, 8) and facts.selinux != "disabled":
        found.append(Probe("entries", ("grubby", "--info=ALL")))  # from release 9 on the file alone does not do it
    return found


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """The mode now, and after a boot."""
    if "kernel" not in outcomes:
        return []
    wanted = variables.string("selinux")
    live = {"0": "permissive", "1": "enforcing"}.get(outcomes["kernel"].stdout.strip(), "disabled")
    written = re.findall(r"^\s*SELINUX\s*=\s*(\w+)", outcomes["file"].stdout, re.MULTILINE)
    in_file = written[-1].lower() if written else "nothing"
    until = "" if live == wanted else f", {wanted} after a reboot"
    return [
        Check(
            f"SELinux is {wanted}",
            live in LIVE[wanted],
            f"{live} in the running kernel{until}",
            f"run provision again, or reboot: {FILE}",
        ),
        Check(f"SELinux stays {wanted} after a boot", in_file == wanted, f"{FILE} says {in_file}", "run provision again"),
        *([_entries(outcomes["entries"])] if "entries" in outcomes else []),
    ]


def _entries(outcome: Outcome) -> Check:
    """Every boot entry that starts a Linux has the argument."""
    parts = re.split(r"^index=", outcome.stdout, flags=re.MULTILINE)[1:]
    entries = [part for part in parts if re.search("^kernel=", part, re.MULTILINE)]
    having = [part for part in entries if re.search(r'^args="(?:.* )?selinux=0(?: .*)?"$', part, re.MULTILINE)]
    return Check(
        "SELinux is off in every boot entry",
        outcome.status == 0 and entries == having != [],
        outcome.stderr.strip() or f"{len(having)} of {len(entries)} entries have selinux=0",
        "run provision again; it takes grubby",
    )
