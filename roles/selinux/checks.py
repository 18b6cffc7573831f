"""Whether SELinux is as declared: in the running kernel, in the file that the next boot reads, and in every boot entry."""

from __future__ import annotations

import re
from typing import List, Mapping

from fleet.checks import Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles.selinux.role import has_selinux

FILE = "/etc/selinux/config"
# As libselinux reads the file, and so the agent: no space before the sign, the value by its beginning, the first line that tells.
WRITTEN = re.compile(r"^SELINUX=[^\S\n]*((?i:enforcing|permissive|disabled))", re.MULTILINE)
# Set in the file, a mode holds from the next boot on; until then the kernel may have any of these.
LIVE = {
    "permissive": ("permissive", "disabled"),
    "enforcing": ("enforcing",),
    "disabled": ("disabled", "permissive"),
}
PROVISION = "./inv provision --hosts {host} --roles selinux"
MODE = Claim(
    "selinux_mode",
    "SELinux is {mode}",
    "containers are denied what they should be allowed, or allowed what they should not",
    f"{PROVISION}  # what the running kernel cannot take on takes a reboot",
    probes=("kernel",),
)
AT_BOOT = Claim(
    "selinux_at_boot", "SELinux stays {mode} after a boot", "the next boot brings another mode", PROVISION, probes=("file",)
)
ENTRIES = Claim(
    "selinux_boot_entries",
    "SELinux is off in every boot entry",
    "from release 9 on the file alone does not switch it off",
    "grubby --update-kernel=ALL --args=selinux=0",
    probes=("entries",),
)
CLAIMS = (MODE, AT_BOOT, ENTRIES)


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
    wanted = variables.string("selinux")
    found = []
    if "kernel" in outcomes:
        live = {"0": "permissive", "1": "enforcing"}.get(outcomes["kernel"].stdout.strip(), "disabled")
        until = "" if live == wanted else f", {wanted} after a reboot"
        found.append(MODE.judged(live in LIVE[wanted], f"{live} in the running kernel{until}", wanted, mode=wanted))
    if "file" in outcomes:
        written = WRITTEN.search(outcomes["file"].stdout)
        in_file = written[1].lower() if written else "nothing"
        found.append(AT_BOOT.judged(in_file == wanted, f"{FILE} says {in_file}", wanted, mode=wanted))
    if "entries" in outcomes:
        found.append(_entries(outcomes["entries"]))
    return found


def _entries(outcome: Outcome) -> Check:
    """Every boot entry that starts a Linux has the argument."""
    parts = re.split(r"^index=", outcome.stdout, flags=re.MULTILINE)[1:]
    entries = [part for part in parts if re.search("^kernel=", part, re.MULTILINE)]
    having = [part for part in entries if re.search(r'^args="(?:.* )?selinux=0(?: .*)?"$', part, re.MULTILINE)]
    return ENTRIES.judged(
        outcome.status == 0 and entries == having != [],
        outcome.stderr.strip() or f"{len(having)} of {len(entries)} entries have selinux=0",
        "selinux=0 in every one",
    )
