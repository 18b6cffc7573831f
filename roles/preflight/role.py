"""Refuses a host that cannot become a container host, with every reason at once; changes nothing."""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from fleet.facts import Facts
from fleet.resources import Resource
from fleet.variables import Variables
from roles import engine, interpreter, modules

ARCHITECTURES = ("x86_64", "aarch64")
# Oracle Linux's os-release names itself and Fedora alone.
FAMILY = {"centos", "rhel", "ol"}
# The first kernel whose overlayfs is not a technology preview: CentOS 7.3's.
OLDEST_KERNEL = (3, 10, 0, 514)
OLDEST_RELEASE = 8
NOT_FEDORA = "its package manager is dnf 5, whose transactions read otherwise, and each of its releases ends after 13 months"
GIGABYTE = 10**9


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """What stands against this host; empty if nothing does."""
    found = [*_architecture(facts), *_family(facts), *_kernel(facts, variables)]
    if not found and not engine.is_docker(variables):
        found += _python(facts)
    timeout = [] if variables.integer("verify_timeout") > 0 else ["verify_timeout: should be at least 1 second."]
    return [*found, *_systemd(facts), *_storage(facts, variables), *timeout]


def release_refusals(os_id: str, os_like: Sequence[str], os_version: str, variables: Variables) -> List[str]:
    """What stands against a host without Python, told before it is given one."""
    name = f"{os_id} {os_version}"
    found = _not_of_the_family(name, os_id, os_like)
    major = os_version.partition(".")[0]
    if not found and not engine.is_docker(variables) and major.isdigit() and int(major) < OLDEST_RELEASE:
        found.append(_no_python(name, "none"))
    return found


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """Nothing: this role only looks."""
    return []


def _architecture(facts: Facts) -> List[str]:
    if facts.arch in ARCHITECTURES:
        return []
    return [f"The host's architecture is {facts.arch}; only 64-bit hosts, {' and '.join(ARCHITECTURES)}, are supported."]


def _family(facts: Facts) -> List[str]:
    return _not_of_the_family(facts.os_name, facts.os_id, facts.os_like)


def _not_of_the_family(name: str, os_id: str, os_like: Sequence[str]) -> List[str]:
    if not FAMILY.isdisjoint((os_id, *os_like)):
        return []
    if os_id == "fedora":
        return [f"The host runs {name}; Fedora is not supported: {NOT_FEDORA}. Use CentOS Stream or a relative of it."]
    named = " ".join((os_id, *os_like))
    return [
        f"The host runs {name} (ID and ID_LIKE: {named}); "
        "only CentOS and its relatives (RHEL, Rocky Linux, AlmaLinux ...) are supported."
    ]


def kernel_version(release: str) -> Tuple[int, ...]:
    """A kernel release's leading numbers, up to four: 3.10.0-1160.el7 is (3, 10, 0, 1160)."""
    leading = re.match(r"\d+(?:[.-]\d+){0,3}", release)
    return tuple(int(number) for number in re.split(r"[.-]", leading[0])) if leading else ()


def _kernel(facts: Facts, variables: Variables) -> List[str]:
    found = []
    if kernel_version(facts.kernel) < OLDEST_KERNEL:
        found.append(
            f"The kernel {facts.kernel} is too old for overlayfs; update it to 3.10.0-514 (CentOS 7.3) or newer and reboot."
        )
    elif not facts.overlay and not modules.brought(facts, variables):
        package = modules.overlay_package(facts.kernel)
        found.append(f"The kernel {facts.kernel} has no overlay module; install {package} or another kernel.")
    return found


def _python(facts: Facts) -> List[str]:
    if interpreter.choose(facts):
        return []
    versions = ", ".join(".".join(map(str, python.version)) for python in facts.pythons) or "none"
    return [_no_python(facts.os_name, versions)]


def _no_python(system: str, versions: str) -> str:
    return (
        f"The runtime needs Python {interpreter.OLDEST_TEXT} or newer; {system} has no package of one (found: {versions}). "
        "Run Docker's own engine there (engine: docker-ce), move the host to release 8 or later, or install such a Python yourself."
    )


def _systemd(facts: Facts) -> List[str]:
    if facts.systemd:
        return []
    return ["The host's first process is not systemd, which runs the daemon; boot the host with systemd."]


def _storage(facts: Facts, variables: Variables) -> List[str]:
    found = []
    docker, least = engine.is_docker(variables), variables.integer("min_free_gb")
    for path, system in sorted(facts.file_systems.items()):
        if docker and path != "/var/lib":
            continue  # its programs are packages, below /usr
        if system.free < least * GIGABYTE:
            found.append(
                f"{path} has {system.free / GIGABYTE:.1f} GB free and should have {least} GB; make room, or set min_free_gb lower."
            )
    system = facts.file_systems["/var/lib"]
    name = "docker_data_root" if docker else "data_root"
    if system.type == "xfs" and system.ftype is False and _below(variables.string(name) or "/var/lib/docker", "/var/lib"):
        found.append(
            "/var/lib lies on xfs made with ftype=0, on which overlayfs cannot work. "
            f"Set {name} to a path on another file system, or make this one anew (mkfs.xfs -n ftype=1)."
        )
    return found


def _below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
