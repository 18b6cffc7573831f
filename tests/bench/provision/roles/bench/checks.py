"""Whether the service runs, as every contender asks at its end."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from tests.bench.provision import job


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """One command."""
    return [Probe("active", ("systemctl", "is-active", job.UNIT))]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """It is active."""
    return [Check("The service runs", outcomes["active"].stdout.strip() == "active", outcomes["active"].stdout)]
