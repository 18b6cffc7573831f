"""Whether the engine serves: its unit, version and info, Docker's names where asked for, and a container run on the host."""

from __future__ import annotations

from typing import List, Mapping, Optional

from fleet.checks import Check, Outcome, Probe
from fleet.content import Content
from fleet.facts import Facts
from fleet.variables import Variables
from roles.service import container, daemon
from roles.service.role import DOCKER_UNIT, UNIT

SKIFF = "/usr/local/bin/skiff"
SHOW = ("systemctl", "show", "--property=LoadState,ActiveState,SubState,UnitFileState")


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """One command a question."""
    asked = [
        Probe("unit", (*SHOW, UNIT)),
        Probe("version", (SKIFF, "version", "--format", "json")),
        Probe("info", (SKIFF, "info", "--format", "json")),
    ]
    if variables.boolean("docker_compat"):
        asked.append(Probe("docker_unit", (*SHOW, DOCKER_UNIT)))
        asked.append(Probe("docker_socket", (SKIFF, "--host", "unix:///run/docker.sock", "version", "--format", "json")))
    image = _image(facts, variables)
    return [*asked, container.probe(image)] if image else asked


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """What was declared, check by check."""
    deployed = variables.as_dict().get("bundle_version")
    checks = [
        *daemon.judge_unit(UNIT, outcomes["unit"]),
        daemon.judge_version(outcomes["version"], "Client and server have one version", deployed),
        *daemon.judge_info(outcomes["info"], variables),
    ]
    if "docker_unit" in outcomes:
        checks += daemon.judge_unit(DOCKER_UNIT, outcomes["docker_unit"])
        checks.append(daemon.judge_version(outcomes["docker_socket"], "/run/docker.sock answers", deployed))
    if _image(facts, variables) is None:
        missing = f"the control machine has no probe image for {facts.arch}"
        return [*checks, Check("A container runs", False, missing, f"./inv bundle --arch {facts.arch} --busybox FILE")]
    if "container" in outcomes:
        checks += container.judge(outcomes["container"])
    return checks


def _image(facts: Facts, variables: Variables) -> Optional[Content]:
    """The probe image for this host's architecture, if the control machine has one."""
    image: Optional[Content] = variables.mapping("probe_images").get(facts.arch)
    return image
