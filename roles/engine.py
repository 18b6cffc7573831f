"""Which container engine a host runs: Skiff's own, or Docker's from its docker-ce packages."""

from __future__ import annotations

from fleet.variables import Variables

SKIFF, DOCKER = "skiff", "docker-ce"


def is_docker(variables: Variables) -> bool:
    """Whether the host's engine is Docker's own."""
    return variables.string("engine") == DOCKER
