"""Whether the kernel parameters have their values now; the run's own drift check covers their file."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.resources import Sysctl
from fleet.variables import Variables
from roles.kernel import role

SET = Claim(
    "sysctls",
    "Kernel parameters are set",
    "containers reach no network, or pass the host's packet filter by",
    "./inv provision --hosts {host} --roles kernel  # a value in /etc/sysctl.conf wins at boot",
    probes=("values",),
)
CLAIMS = (SET,)


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The live values, one a line, in the order of the names."""
    return [Probe("values", ("sysctl", "--values", *_wanted(facts, variables)))]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """Every parameter has the value declared."""
    if "values" not in outcomes:
        return []
    outcome, wanted = outcomes["values"], _wanted(facts, variables)
    found = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    if outcome.status != 0 or len(found) != len(wanted):
        return [SET.judged(False, f"they cannot be read: {outcome.stderr.strip()}")]
    wrong = {name: now for (name, value), now in zip(wanted.items(), found) if " ".join(value.split()) != now}
    told = "; ".join(f"{name} is {now}" for name, now in wrong.items())
    expected = "; ".join(f"{name} = {wanted[name]}" for name in wrong)
    return [SET.judged(not wrong, told or f"{len(wanted)} values as declared", expected)]


def _wanted(facts: Facts, variables: Variables) -> Mapping[str, str]:
    return next(resource.values for resource in role.resources(facts, variables) if isinstance(resource, Sysctl))
