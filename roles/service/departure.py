"""How a host leaves the engine that it had, once its variable `engine` names the other one."""

from __future__ import annotations

from typing import List

from fleet.facts import Facts
from fleet.resources import Departure, File, Resource, Unit
from fleet.variables import Variables
from roles import engine

SOCKET = "docker.socket"


def from_skiff(facts: Facts, variables: Variables, names: List[File]) -> List[Resource]:
    """Skiff's daemon at rest, and Docker's names (their `names`' files) given back."""
    compat = facts.docker_compat
    leaving = Departure(
        engine.SKIFF,
        units=("docker.service", "skiff.service") if compat else ("skiff.service",),
        listing=("/usr/local/bin/skiff", "ps", "--all", "--format", "json"),
        stopping=("/usr/local/bin/skiff", "stop"),
        stop_containers=_stops(variables),
    )
    return [leaving, *(names if compat else [])]


def from_docker(facts: Facts, variables: Variables) -> List[Resource]:
    """Docker's own engine at rest, where Skiff set it up. One that somebody else installed is theirs, and runs on."""
    if not facts.docker_managed:
        return []
    if facts.docker_compat:  # docker.service is Skiff's by now; only the socket could still wake the other
        return [Unit(SOCKET, enabled=False, active=False)]
    return [
        Departure(
            engine.DOCKER,
            units=(SOCKET, "docker.service"),
            listing=("/usr/bin/docker", "ps", "--all", "--no-trunc", "--format", "{{json .}}"),
            stopping=("/usr/bin/docker", "stop"),
            companions=("containerd.service",),
            stop_containers=_stops(variables),
        )
    ]


def _stops(variables: Variables) -> bool:
    return variables.string("engine_switch") == "stop"
