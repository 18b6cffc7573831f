"""Whether the engine serves: its unit, version and info, Docker's names where asked for, and a container run on the host."""

from __future__ import annotations

from typing import List, Mapping, Optional

from fleet.checks import Check, Outcome, Probe
from fleet.content import Content
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.packages import docker as packages
from roles.service import container, daemon
from roles.service.role import DOCKER_UNIT, UNIT

SKIFF = "/usr/local/bin/skiff"
DOCKER = "/usr/bin/docker"
SHOW = ("systemctl", "show", "--property=LoadState,ActiveState,SubState,UnitFileState")


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """One command a question."""
    docker = engine.is_docker(variables)
    command = DOCKER if docker else SKIFF
    # Docker's client knows the word json from 23.0 on, and the template always.
    form = "{{json .}}" if docker else "json"
    asked = [
        Probe("unit", (*SHOW, DOCKER_UNIT if docker else UNIT)),
        Probe("version", (command, "version", "--format", form)),
        Probe("info", (command, "info", "--format", form)),
    ]
    if variables.boolean("docker_compat") and not docker:
        asked.append(Probe("docker_unit", (*SHOW, DOCKER_UNIT)))
        asked.append(Probe("docker_socket", (SKIFF, "--host", "unix:///run/docker.sock", "version", "--format", "json")))
    image = _image(facts, variables)
    return [*asked, container.probe(image, command)] if image else asked


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """What was declared, check by check."""
    docker = engine.is_docker(variables)
    name, unit = ("docker", DOCKER_UNIT) if docker else ("skiff", UNIT)
    declared = packages.version(facts, variables) if docker else variables.as_dict().get("bundle_version")
    data_root = variables.string("docker_data_root" if docker else "data_root")
    checks = [
        *daemon.judge_unit(unit, outcomes["unit"]),
        daemon.judge_version(outcomes["version"], "Client and server have one version", declared, name),
        *daemon.judge_info(outcomes["info"], variables.strings("registry_mirrors"), data_root, name),
    ]
    if "docker_unit" in outcomes:
        checks += daemon.judge_unit(DOCKER_UNIT, outcomes["docker_unit"])
        checks.append(daemon.judge_version(outcomes["docker_socket"], "/run/docker.sock answers", declared, name))
    if _image(facts, variables) is None:
        missing = f"the control machine has no probe image for {facts.arch}"
        return [*checks, Check("A container runs", False, missing, f"./inv bundle --arch {facts.arch} --busybox FILE")]
    if "container" in outcomes:
        # On control groups version 1, dockerd leaves containers in the host's namespace of them.
        kinds = [kind for kind in container.NAMESPACES if kind != "cgroup" or not docker or facts.cgroup == "v2"]
        checks += container.judge(outcomes["container"], name, kinds)
    return checks


def _image(facts: Facts, variables: Variables) -> Optional[Content]:
    """The probe image for this host's architecture, if the control machine has one."""
    image: Optional[Content] = variables.mapping("probe_images").get(facts.arch)
    return image
