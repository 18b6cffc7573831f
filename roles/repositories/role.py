"""CentOS's base repositories, replaced whole by a mirror that serves the release, or kept; and the one of docker-ce."""

from __future__ import annotations

from typing import Dict, List, Union

from fleet.facts import Facts
from fleet.resources import Command, Handler, Resource, Template
from fleet.secret import Secret
from fleet.variables import Variables
from roles.repositories import docker, proxy
from roles.repositories.releases import Release, find

FOLDER = "/etc/yum.repos.d"


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """A mirror for what is not CentOS itself, and addresses that are none."""
    mirror = variables.string("package_mirror")
    found = [*proxy.refusals(variables), *docker.refusals(facts, variables)]
    if mirror == "kept" or find(facts):
        return found
    return [
        *found,
        f"package_mirror: {mirror} is for CentOS, releases 7 to 10, and the host runs {facts.os_name}; "
        "set package_mirror: kept, and see to its repositories yourself.",
    ]


def resources(facts: Facts, variables: Variables) -> List[Union[Resource, Handler]]:
    """The repository files, and their metadata fetched when one of them changed."""
    mirror, release = variables.string("package_mirror"), find(facts)
    if mirror == "kept" or release is None:
        return [*docker.resources(facts, variables)]
    lines = proxy.options(variables)
    secret = bool(lines)
    files = [
        Template(
            f"{FOLDER}/{name}",
            "base.repo.j2",
            _values(release, mirror, paths, lines),
            mode="0600" if secret else "0644",
            secret=secret,
        )
        for name, paths in release.files.items()
    ]
    fetch = Command("fetch package metadata", (facts.package_manager or "dnf", "--quiet", "makecache"))
    return [*files, Handler(fetch, tuple(file.id for file in files)), *docker.resources(facts, variables)]


def _values(release: Release, mirror: str, paths: Dict[str, str], lines: Dict[str, Union[str, Secret]]) -> Dict[str, object]:
    """What a file's template fills in."""
    base = release.mirrors[mirror]
    sections = [
        {
            "id": name,
            "url": f"{base}/{path}/",
            "enabled": int(name not in release.disabled),
            "key": f"file:///etc/pki/rpm-gpg/{release.keys.get(name, release.key)}",
        }
        for name, path in paths.items()
    ]
    return {"title": release.title, "mirror": mirror, "sections": sections, "options": lines}
