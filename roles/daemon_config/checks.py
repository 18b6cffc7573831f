"""Whether the daemon could start with its file: a fault written by hand shows up before the next boot does."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles.daemon_config.role import FILE, SKIFFD


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The daemon's own judgement; it costs a start of the interpreter, so only where something changed, or in `verify`."""
    return [Probe("valid", (SKIFFD, "--validate", "--config-file", FILE), when="changed")]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """The file is one that the daemon takes."""
    return [
        Check(
            f"{FILE} is valid", outcome.status == 0, outcome.stderr.strip() or outcome.stdout.strip(), f"correct {FILE} on the host"
        )
        for outcome in outcomes.values()
    ]
