"""Whether the kernel parameters have their values now; the run's own drift check covers their file."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.resources import Sysctl
from fleet.variables import Variables
from roles.kernel import role


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The live values, one a line, in the order of the names."""
    return [Probe("values", ("sysctl", "--values", *_wanted(facts, variables)))]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """Every parameter has the value declared."""
    outcome, wanted = outcomes["values"], _wanted(facts, variables)
    found = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    if outcome.status != 0 or len(found) != len(wanted):
        return [Check("Kernel parameters can be read", False, outcome.stderr.strip(), "look at sysctl --all on the host")]
    wrong = [f"{name} is {now}, not {value}" for (name, value), now in zip(wanted.items(), found) if " ".join(value.split()) != now]
    detail = "; ".join(wrong) or f"{len(wanted)} values as declared"
    return [Check("Kernel parameters are set", not wrong, detail, "run provision again; /etc/sysctl.conf may set another value")]


def _wanted(facts: Facts, variables: Variables) -> Mapping[str, str]:
    return next(resource.values for resource in role.resources(facts, variables) if isinstance(resource, Sysctl))
