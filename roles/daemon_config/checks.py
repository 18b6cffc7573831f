"""Whether the daemon could start with its file: a fault written by hand shows up before the next boot does."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.daemon_config import docker
from roles.daemon_config.role import FILE, SKIFFD


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The daemon's own judgement; it costs a start of the interpreter, so only where something changed, or in `verify`."""
    argv = docker.validation(docker.FILE) if engine.is_docker(variables) else (SKIFFD, "--validate", "--config-file", FILE)
    return [Probe("valid", argv, when="changed")]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """The file is one that the daemon takes."""
    file = docker.FILE if engine.is_docker(variables) else FILE
    return [
        Check(
            f"{file} is valid", outcome.status == 0, outcome.stderr.strip() or outcome.stdout.strip(), f"correct {file} on the host"
        )
        for outcome in outcomes.values()
    ]
