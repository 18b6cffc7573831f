"""The engine's daemon.json, merged into what is there and checked by the engine itself before it takes the old one's place."""

from __future__ import annotations

from typing import Dict, List, Tuple
from urllib.parse import urlsplit

from fleet.facts import Facts
from fleet.resources import Directory, JsonFile, Resource
from fleet.secret import holds_secret
from fleet.variables import Variables
from roles import engine
from roles.daemon_config import docker

FILE = "/etc/skiff/daemon.json"
SKIFFD = "/opt/skiff/current/bin/skiffd"
SOCKET = "unix:///run/skiff.sock"
DOCKER_SOCKET = "unix:///run/docker.sock"
DEFAULT_DATA_ROOT = "/var/lib/skiff"
# Options that have a variable of their own, and may not be given in daemon_options as well.
OWN = {
    "registry-mirrors": "registry_mirrors",
    "insecure-registries": "insecure_registries",
    "data-root": "data_root",
    "hosts": "docker_compat",
}
# What the daemon takes up on SIGHUP; a change of anything else takes a restart.
RELOADABLE = (
    *("debug", "labels", "live-restore", "max-concurrent-downloads", "max-concurrent-uploads"),
    *("insecure-registries", "registry-mirrors", "shutdown-timeout"),
)


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Mirrors that no daemon would take, and options given in two places."""
    return [
        *(fault for mirror in variables.strings("registry_mirrors") for fault in _mirror_faults(mirror)),
        *(
            f"insecure_registries: {registry!r} should have no scheme; write HOST[:PORT] or a network such as 10.0.0.0/8."
            for registry in variables.strings("insecure_registries")
            if "://" in registry
        ),
        *(docker.refusals(variables) if engine.is_docker(variables) else _doubled(variables)),
    ]


def _doubled(variables: Variables) -> List[str]:
    doubled = sorted(OWN.keys() & variables.mapping("daemon_options").keys())
    return [f"daemon_options: {option} has a variable of its own; set {OWN[option]} instead." for option in doubled]


def _mirror_faults(mirror: str) -> List[str]:
    """What is wrong with a mirror; its text is shown only without what may be a password."""
    try:
        address = urlsplit(mirror)
        host = address.hostname
        _ = address.port
    except ValueError as error:
        return [f"registry_mirrors: an entry is no address: {error}."]
    if address.username is not None:
        return [f"registry_mirrors: {address.scheme}://...@{host}: a user name or password does not belong in a mirror's address."]
    if address.scheme not in ("https", "http") or not host:
        return [f"registry_mirrors: {mirror!r} should be https://HOST."]
    if set(mirror) & set("<>{} "):
        return [f"registry_mirrors: {mirror!r} is an example; put your own address in its place (docs/guides/registry-mirrors.md)."]
    if address.path.strip("/") or address.query or address.fragment:
        return [f"registry_mirrors: {mirror!r} should end after the host: {address.scheme}://{address.netloc}."]
    return []


def normalised(mirror: str) -> str:
    """A mirror as the daemon tells it: with one slash at its end."""
    return mirror.rstrip("/") + "/"


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The file, and the directory that it lies in."""
    if engine.is_docker(variables):
        return docker.resources(facts, variables)
    values, remove = options(variables)
    # A proxy's address may have a password in it.
    mode = "0600" if holds_secret(values) else "0644"
    return [
        Directory("/etc/skiff"),
        JsonFile(FILE, values, remove, RELOADABLE, mode, validate=(SKIFFD, "--validate", "--config-file", "{}")),
    ]


def options(variables: Variables) -> Tuple[Dict[str, object], Tuple[str, ...]]:
    """The options to set, and those to remove."""
    data_root = variables.string("data_root")
    own: Dict[str, object] = {
        "registry-mirrors": list(variables.strings("registry_mirrors")),
        "insecure-registries": list(variables.strings("insecure_registries")),
        "data-root": "" if data_root == DEFAULT_DATA_ROOT else data_root,
        "hosts": [SOCKET, DOCKER_SOCKET] if variables.boolean("docker_compat") else [],
    }
    given = {key: value or None for key, value in own.items()}
    given.update(variables.mapping("daemon_options"))
    values = {key: value for key, value in given.items() if value is not None}
    return values, tuple(sorted(given.keys() - values.keys()))
