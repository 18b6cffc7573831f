"""Whether the engine serves: its unit, version and info, Docker's names where asked for, and a container run on the host."""

from __future__ import annotations

from typing import List, Mapping, Optional

from fleet.checks import Check, Claim, Outcome, Probe
from fleet.content import Content
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.packages import docker as packages
from roles.service import boot, container, daemon, fields, support
from roles.service.role import DOCKER_UNIT

SKIFF = "/usr/local/bin/skiff"
DOCKER = "/usr/bin/docker"
SHOW = ("systemctl", "show", "--property=LoadState,ActiveState,SubState,UnitFileState")
# Seconds that a daemon which was just started is given to answer.
PATIENCE = 10.0
COMPAT_ACTIVE = Claim(
    "docker_unit_active",
    "{unit} runs",
    "what is ordered after Docker does not start",
    "systemctl start {unit}",
    probes=("docker_unit",),
)
COMPAT_ENABLED = Claim(
    "docker_unit_enabled", "{unit} is enabled", "the next boot comes without it", "systemctl enable {unit}", probes=("docker_unit",)
)
COMPAT_SOCKET = Claim(
    "docker_socket",
    "/run/docker.sock answers",
    "Docker's clients reach nobody",
    "systemctl restart {engine}{kept}",
    probes=("docker_socket",),
)
CLAIMS = (
    *daemon.CLAIMS,
    *fields.CLAIMS,
    *support.CLAIMS,
    *(COMPAT_ACTIVE, COMPAT_ENABLED, COMPAT_SOCKET),
    *container.CLAIMS,
    *boot.CLAIMS,
)


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """One command a question; the first one waits for a daemon that is on its way."""
    docker, unit = engine.is_docker(variables), engine.unit(variables)
    command = DOCKER if docker else SKIFF
    # Docker's client knows the word json from 23.0 on, and the template always.
    form = "{{json .}}" if docker else "json"
    asked = [
        Probe("version", (command, "version", "--format", form), patience=PATIENCE, unit=unit),
        Probe("info", (command, "info", "--format", form), patience=PATIENCE, unit=unit),
        Probe("unit", (*SHOW, unit)),
    ]
    if variables.boolean("docker_compat") and not docker:
        asked.append(Probe("docker_unit", (*SHOW, DOCKER_UNIT)))
        asked.append(Probe("docker_socket", (SKIFF, "--host", "unix:///run/docker.sock", "version", "--format", "json")))
    image = _image(facts, variables)
    return [*asked, *([container.probe(image, command)] if image else []), *boot.probes(facts, variables, command)]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """What was declared, check by check."""
    docker = engine.is_docker(variables)
    name, unit = ("docker" if docker else "skiff"), engine.unit(variables)
    declared = packages.version(facts, variables) if docker else variables.as_dict().get("bundle_version")
    checks: List[Check] = []
    if "unit" in outcomes:
        checks += daemon.judge_unit(unit, outcomes["unit"])
    if "version" in outcomes:
        checks += [daemon.judge_version(outcomes["version"], declared, name), *daemon.judge_api(outcomes["version"])]
    if "info" in outcomes:
        checks += daemon.judge_info(outcomes["info"], fields.declared(facts, variables), name)
    if "docker_unit" in outcomes:
        checks += daemon.judge_unit(DOCKER_UNIT, outcomes["docker_unit"], COMPAT_ACTIVE, COMPAT_ENABLED)
    if "docker_socket" in outcomes:
        checks.append(daemon.judge_version(outcomes["docker_socket"], declared, name, COMPAT_SOCKET))
    if _image(facts, variables) is None:
        checks.append(container.IMAGE.judged(False, f"there is none for {facts.arch}", arch=facts.arch))
    elif "container" in outcomes:
        # On control groups version 1, dockerd leaves containers in the host's namespace of them.
        kinds = [kind for kind in container.NAMESPACES if kind != "cgroup" or not docker or facts.cgroup == "v2"]
        checks += container.judge(outcomes["container"], name, kinds)
    return [*checks, *boot.judge(variables, outcomes)]


def _image(facts: Facts, variables: Variables) -> Optional[Content]:
    """The probe image for this host's architecture, if the control machine has one."""
    image: Optional[Content] = variables.mapping("probe_images").get(facts.arch)
    return image
