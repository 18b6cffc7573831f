"""/etc/docker/daemon.json, for hosts whose engine is Docker's own."""

from __future__ import annotations

from typing import Dict, List, Tuple

from fleet.facts import Facts
from fleet.resources import Directory, JsonFile, Resource
from fleet.secret import holds_secret
from fleet.variables import Variables
from roles.runtime.role import root_faults

FILE = "/etc/docker/daemon.json"
OWN = {"registry-mirrors": "registry_mirrors", "insecure-registries": "insecure_registries", "data-root": "docker_data_root"}
DEFAULT_ROOT = "/var/lib/docker"
CONTAINERD_ROOTS = ("/var/lib/containerd", "/opt/containerd")
# What dockerd takes up on SIGHUP (its `reload`); a change of anything else takes a restart.
RELOADABLE = (
    *("debug", "labels", "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts"),
    *("default-runtime", "runtimes", "authorization-plugins", "insecure-registries", "registry-mirrors", "shutdown-timeout"),
    "features",
)
# dockerd checks a file without starting from 23.0 on; an older one is told by its help, and the file then goes unchecked.
VALIDATE = 'dockerd --help 2>&1 | grep -q -e --validate || exit 0; exec dockerd --validate --config-file "$0"'


def refusals(variables: Variables) -> List[str]:
    """Options given in two places, and a data root that is none."""
    given = variables.mapping("daemon_options")
    found = [
        f"daemon_options: {name} has a variable of its own; set {OWN[name]} instead." for name in sorted(OWN.keys() & given.keys())
    ]
    if "hosts" in given:
        found.append(
            "daemon_options: hosts would stop dockerd, to which docker.service gives it as a flag; "
            "add a ListenStream to docker.socket by a drop-in instead."
        )
    root = variables.string("docker_data_root")
    return [*found, *(root_faults("docker_data_root", root) if root else [])]


def validation(path: str) -> Tuple[str, ...]:
    """The command by which dockerd judges a file."""
    return ("/bin/sh", "-c", VALIDATE, path)


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The file, the directory that it lies in, and those of the engine's data, whose modes and owners dockerd sets."""
    values, remove = options(variables)
    mode = "0600" if holds_secret(values) else "0644"
    root = variables.string("docker_data_root") or facts.docker_root or DEFAULT_ROOT
    return [
        Directory("/etc/docker"),
        JsonFile(FILE, values, remove, RELOADABLE, mode, validate=validation("{}")),
        *(Directory(path, mode=None, owner=None, group=None, data=True) for path in (root, *CONTAINERD_ROOTS)),
    ]


def options(variables: Variables) -> Tuple[Dict[str, object], Tuple[str, ...]]:
    """The options to set, and those to remove. A data root that nobody names stays: an engine's data hangs on it."""
    given: Dict[str, object] = {
        "registry-mirrors": list(variables.strings("registry_mirrors")) or None,
        "insecure-registries": list(variables.strings("insecure_registries")) or None,
    }
    if variables.string("docker_data_root"):
        given["data-root"] = variables.string("docker_data_root")
    given.update(variables.mapping("daemon_options"))
    values = {key: value for key, value in given.items() if value is not None}
    return values, tuple(sorted(given.keys() - values.keys()))
