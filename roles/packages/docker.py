"""Docker's own engine as packages: what is in its way taken out, its parts put in, from repositories or from RPMs that are sent."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Tuple

from fleet.facts import Facts
from fleet.resources import Group, Package, Resource
from fleet.rpm import Rpm
from fleet.variables import Variables
from roles import engine

PARTS = ("docker-ce", "docker-ce-cli", "containerd.io")
PLUGINS = ("docker-buildx-plugin", "docker-compose-plugin")
# Docker as distributions packaged it; its data in /var/lib/docker stays.
OLD = (
    *("docker", "docker-client", "docker-client-latest", "docker-common", "docker-latest", "docker-latest-logrotate"),
    *("docker-logrotate", "docker-engine", "docker-engine-selinux", "docker-selinux"),
)
PODMAN = ("podman", "podman-docker", "runc", "containerd")
PIN = re.compile(r"(\d+:)?\d[A-Za-z0-9.+~^_]*(-[A-Za-z0-9.+~^_]+)?")
RELEASE = re.compile(r"\.(?:el|centos\.?)(\d+)")


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Versions that are none, plugins that there are not, and a directory of RPMs that lacks what the host needs."""
    if not engine.is_docker(variables):
        return []
    found = [
        f"{name}: {variables.string(name)!r} is no version; write it as in 26.1.4, or 26.1.4-1.el9."
        for name in ("docker_version", "containerd_version")
        if variables.string(name) and not PIN.fullmatch(variables.string(name))
    ]
    unknown = sorted(set(variables.strings("docker_plugins")) - set(PLUGINS))
    if unknown:
        found.append(f"docker_plugins: there is no {', '.join(unknown)}; known: {', '.join(PLUGINS)}.")
    return [*found, *_rpm_faults(facts, variables)] if variables.rpms() else found


def _rpm_faults(facts: Facts, variables: Variables) -> List[str]:
    fitting = _fitting(facts, variables)
    missing = [name for name in (*PARTS, *variables.strings("docker_plugins")) if name not in fitting]
    where, pin = f"for {facts.arch} on release {facts.os_major}", variables.string("docker_version")
    found = []
    if missing:
        version = f" in version {pin}" if pin and not set(missing).isdisjoint(PARTS[:2]) else ""
        found.append(f"docker_rpms: the directory has no {', '.join(missing)} {where}{version}; put the RPMs there.")
    for name, several in fitting.items():
        if len(several) > 1:
            told = " and ".join(f"{rpm.version}-{rpm.release}" for rpm in several)
            cure = (
                "set docker_version" if name in PARTS[:2] else "set containerd_version" if name == PARTS[2] else "leave one there"
            )
            found.append(f"docker_rpms: the directory has {name} {where} as {told}; {cure}.")
    return found


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """What goes, the group, the engine, and its plugins apart: a plugin that is added restarts no engine.

    The packages would make the group themselves; made before them, it is known to be nobody else's.
    """
    gone = Package((*OLD, *PODMAN) if variables.boolean("remove_podman") else OLD, state="absent")
    group = Group("docker", system=True, members=variables.strings("docker_users"))
    plugins = variables.strings("docker_plugins")
    if not variables.rpms():
        return [gone, group, parts(facts, variables), *([Package(plugins)] if plugins else [])]
    files = {name: several[0].content for name, several in _fitting(facts, variables).items()}
    brought = {name: files[name] for name in plugins}
    return [gone, group, parts(facts, variables), *([Package(plugins, files=brought)] if plugins else [])]


def parts(facts: Facts, variables: Variables) -> Package:
    """The engine's packages, with whatever lies beside them in a directory of RPMs, for that is what they need."""
    if not variables.rpms():
        return Package(PARTS, versions=_pins(variables))
    fitting = {name: several[0] for name, several in _fitting(facts, variables).items() if name not in PLUGINS}
    names = (*PARTS, *sorted(fitting.keys() - set(PARTS)))
    versions = {name: f"{fitting[name].version}-{fitting[name].release}" for name in PARTS}
    return Package(names, versions=versions, files={name: fitting[name].content for name in names})


def version(facts: Facts, variables: Variables) -> str:
    """The engine's version as declared; empty where any will do."""
    return parts(facts, variables).versions.get(PARTS[0], "").partition("-")[0]


def _pins(variables: Variables) -> Mapping[str, str]:
    engine_pin, containerd_pin = (variables.string(name).rpartition(":")[2] for name in ("docker_version", "containerd_version"))
    pins = dict.fromkeys(PARTS[:2], engine_pin)
    return {name: pin for name, pin in {**pins, PARTS[2]: containerd_pin}.items() if pin}


def _fitting(facts: Facts, variables: Variables) -> Dict[str, Tuple[Rpm, ...]]:
    """The RPMs for this host by name: of its architecture, of its release where theirs names one, of the version declared."""
    pins = _pins(variables)
    found: Dict[str, Tuple[Rpm, ...]] = {}
    for rpm in variables.rpms():
        release = RELEASE.search(rpm.release)
        pin = pins.get(rpm.name)
        if (
            rpm.arch in (facts.arch, "noarch")
            and (release is None or int(release[1]) == facts.os_major)
            and pin in (None, rpm.version, f"{rpm.version}-{rpm.release}")
        ):
            found[rpm.name] = (*found.get(rpm.name, ()), rpm)
    return found
