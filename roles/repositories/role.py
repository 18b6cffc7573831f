"""The files of CentOS's base repositories, replaced whole by a mirror that serves the release; or kept, which is the default."""

from __future__ import annotations

from typing import Dict, List, Union

from fleet.facts import Facts
from fleet.resources import Command, Handler, Resource, Template
from fleet.variables import Variables
from roles.repositories.releases import Release, find

FOLDER = "/etc/yum.repos.d"


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """Only CentOS's own repositories are known here."""
    mirror = variables.string("package_mirror")
    if mirror == "kept" or find(facts):
        return []
    return [
        f"package_mirror: {mirror} is for CentOS, releases 7 to 10, and the host runs {facts.os_name}; "
        "set package_mirror: kept, and see to its repositories yourself."
    ]


def resources(facts: Facts, variables: Variables) -> List[Union[Resource, Handler]]:
    """The repository files, and their metadata fetched when one of them changed."""
    mirror, release = variables.string("package_mirror"), find(facts)
    if mirror == "kept" or release is None:
        return []
    files = [Template(f"{FOLDER}/{name}", "base.repo.j2", _values(release, mirror, paths)) for name, paths in release.files.items()]
    fetch = Command("fetch package metadata", (facts.package_manager or "dnf", "--quiet", "makecache"))
    return [*files, Handler(fetch, tuple(file.id for file in files))]


def _values(release: Release, mirror: str, paths: Dict[str, str]) -> Dict[str, object]:
    """What a file's template fills in."""
    base = release.mirrors[mirror]
    sections = [
        {"id": name, "url": f"{base}/{path}/", "enabled": int(name not in release.disabled)} for name, path in paths.items()
    ]
    return {"title": release.title, "mirror": mirror, "key": f"file:///etc/pki/rpm-gpg/{release.key}", "sections": sections}
