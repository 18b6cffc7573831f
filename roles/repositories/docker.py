"""docker-ce.repo: where the packages of Docker's own engine come from, by release, with the key that signed them."""

from __future__ import annotations

from typing import List

from fleet.facts import Facts
from fleet.resources import Repository
from fleet.variables import Variables
from roles import engine
from roles.repositories import proxy

MIRRORS = {"aliyun": "https://mirrors.aliyun.com/docker-ce", "official": "https://download.docker.com"}
SCHEMES = ("https://", "http://", "file:///")
# Those that Docker has packages for.
RELEASES = (7, 8, 9, 10)
NAME = "docker-ce"


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """A repository that no package manager could read, and a host that Docker has no packages for."""
    if not wanted(variables):
        return []
    given, found = variables.string("docker_repository"), []
    if given not in MIRRORS and (not given.startswith(SCHEMES) or set(given) & set("<>{} \t\n\"'") or "@" in given):
        known = ", ".join((*MIRRORS, "kept"))
        found.append(
            f"docker_repository: should be one of {known}, or the address of a mirror, https://HOST/PATH without a password."
        )
    if facts.os_major not in RELEASES:
        found.append(
            f"engine: docker-ce is packaged for releases {', '.join(map(str, RELEASES))} of CentOS and its relatives, and the host "
            f"runs {facts.os_name}; set engine: skiff, or docker_repository: kept with a repository of your own."
        )
    return found


def wanted(variables: Variables) -> bool:
    """Whether Skiff writes the file: not for another engine, not over a repository of one's own, not for RPMs that are sent."""
    return engine.is_docker(variables) and variables.string("docker_repository") != "kept" and not variables.rpms()


def resources(facts: Facts, variables: Variables) -> List[Repository]:
    """The repository. Its major release is written out: $releasever is 9.5 on some hosts, and no folder's name."""
    if not wanted(variables):
        return []
    given = variables.string("docker_repository")
    # Docker builds for RHEL apart, from release 8 on; what it builds for CentOS is for every other relative.
    system = "rhel" if facts.os_id == "rhel" and facts.os_major >= 8 else "centos"
    tree = f"{MIRRORS.get(given, given.rstrip('/'))}/linux/{system}"
    options = proxy.options(variables)
    return [
        Repository(
            NAME,
            description=f"Docker CE - {facts.os_major} - $basearch",
            baseurl=f"{tree}/{facts.os_major}/$basearch/stable",
            gpgkey=f"{tree}/gpg",
            options=options,
            secret=bool(options),
        )
    ]
