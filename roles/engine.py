"""Which container engine a host runs: Skiff's own, or Docker's from its docker-ce packages."""

from __future__ import annotations

from fleet.facts import Facts
from fleet.variables import Variables

SKIFF, DOCKER = "skiff", "docker-ce"


def is_docker(variables: Variables) -> bool:
    """Whether the host's engine is Docker's own."""
    return variables.string("engine") == DOCKER


def unit(variables: Variables) -> str:
    """The engine's service."""
    return "docker.service" if is_docker(variables) else "skiff.service"


def data_root(facts: Facts, variables: Variables) -> str:
    """Where the engine keeps images and containers; Docker's as the host's own file says, where nobody else does."""
    if is_docker(variables):
        return variables.string("docker_data_root") or facts.docker_root or "/var/lib/docker"
    return variables.string("data_root")
