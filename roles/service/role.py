"""The engine's unit: skiff.service, with Docker's names for it where they are asked for, or docker.service. The other is left."""

from __future__ import annotations

from typing import List, Tuple

from fleet.facts import Facts
from fleet.resources import File, Group, Resource, Template, Unit
from fleet.variables import Variables
from roles import engine
from roles.service import departure, docker

UNIT = "skiff.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
DOCKER_UNIT = "docker.service"
DOCKER_UNIT_FILE = f"/etc/systemd/system/{DOCKER_UNIT}"
DOCKER_COMMAND = "/usr/local/bin/docker"
DAEMON_JSON = "file:/etc/skiff/daemon.json"
CURRENT = "/opt/skiff/current"


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Docker's names belong to Docker where somebody else installed it."""
    if engine.is_docker(variables):
        return docker.refusals(variables)
    if not variables.boolean("docker_compat"):
        return []
    if facts.docker_managed:
        return []  # set up by Skiff, and left now: its names are free
    if facts.docker_unit:
        return ["docker_compat: Docker is installed here, with its own docker.service; remove Docker, or set docker_compat: false."]
    if facts.docker_socket == "foreign":
        return [
            "docker_compat: /run/docker.sock belongs to another engine (podman-docker, it may be); "
            "remove that, or set docker_compat: false."
        ]
    return []


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The other engine left, the unit's file, Docker's names, then the unit."""
    if engine.is_docker(variables):
        names = [File(path, state="absent") for path in (DOCKER_UNIT_FILE, DOCKER_COMMAND)]
        return [*departure.from_skiff(facts, variables, names), *docker.resources(facts, variables)]
    compat = variables.boolean("docker_compat")
    before, after = (_docker_names(), _docker_unit()) if compat else (_no_docker_names(facts), [])
    return [
        *departure.from_docker(facts, variables),
        Template(UNIT_FILE, "skiff.service.j2", {"compat": compat}),
        *before,
        Unit(UNIT, enabled=True, active=True, masked=False, restart_on=_restart_on(variables), reload_on=(DAEMON_JSON,)),
        *after,
    ]


def _restart_on(variables: Variables) -> Tuple[str, ...]:
    """What a running daemon does not see: other code, another unit file, an option that SIGHUP does not reload."""
    version = variables.as_dict().get("bundle_version")
    code = (f"archive:/opt/skiff/{version}",) if version else ()
    return (*code, f"link:{CURRENT}", f"file:{UNIT_FILE}", f"{DAEMON_JSON}#restart")


def _docker_names() -> List[Resource]:
    return [
        Group("docker", system=True),
        Template(DOCKER_UNIT_FILE, "docker.service.j2"),
        Template(DOCKER_COMMAND, "docker.j2", mode="0755"),
    ]


def _docker_unit() -> List[Resource]:
    return [Unit(DOCKER_UNIT, enabled=True, active=True)]


def _no_docker_names(facts: Facts) -> List[Resource]:
    """What an earlier run left, if docker_compat was true then."""
    if not facts.docker_compat:
        return []
    return [
        Unit(DOCKER_UNIT, enabled=False, active=False),
        File(DOCKER_UNIT_FILE, state="absent"),
        File(DOCKER_COMMAND, state="absent"),
    ]
