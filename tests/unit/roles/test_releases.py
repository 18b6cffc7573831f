"""Every release's recorded facts, fed to all roles: the plans are those in plans/, and hold after they are carried out."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, List, Mapping, Optional, Tuple

import pytest

from fleet.facts import Facts
from fleet.resources import Module, Package, Sysctl
from roles import interpreter, modules
from roles.kernel import role as kernel
from roles.packages import role as packages
from roles.preflight import role as preflight
from tests.unit.roles.hosts import variables
from tests.unit.roles.recorded_root import host as recording
from tests.unit.roles.releases import HERE, NAMES, plans, recorded

SEVEN = (kernel.DETACH, kernel.NAMESPACES)
Pair = Tuple[Optional[str], Optional[str]]


# What another program told of the very host: the names that it gives differ.
VIRTUAL = {"virtualbox": "oracle"}


def parameters(host: Facts, **given: Any) -> Mapping[str, str]:
    (found,) = [one for one in kernel.resources(host, variables(**given)) if isinstance(one, Sysctl)]
    return found.values


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_reviewed_one(name: str) -> None:
    assert plans(name) == json.loads((HERE / "plans" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [name for name in NAMES if "facter" in recording(name)])
def test_the_agent_finds_what_facter_found(name: str) -> None:
    host, told = recorded(name), recording(name)["facter"]
    full, major = told["release"], told["release"].partition(".")[0]
    assert host.os_version == (full if "." in host.os_version else major)
    assert (host.selinux, host.selinux_file) == tuple(told["selinux"])
    assert (host.memory, host.virtualisation) == (told["memory"], VIRTUAL[told["virtual"]])
    assert {system.type for system in host.file_systems.values()} == {told["filesystem"]}


def test_most_hosts_were_recorded_and_every_text_has_its_source() -> None:
    documents = {name: recording(name) for name in NAMES}
    assert {name for name in NAMES if "facter" not in documents[name]} == {"oracle-7", "rhel-7", "rhel-10"}
    assert all(document["sources"] for document in documents.values())


def test_every_distribution_is_among_them() -> None:
    assert {path.stem for path in (HERE / "plans").glob("*.json")} == set(NAMES)
    assert {recorded(name).os_id for name in NAMES} == {"centos", "rhel", "rocky", "almalinux", "ol", "fedora"}
    assert {recorded(name).os_major for name in NAMES} == {7, 8, 9, 10, 42}


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("fedora")])
def test_no_relative_is_refused_docker_s_engine(name: str) -> None:
    host = recorded(name)
    given = variables(engine="docker-ce")
    assert preflight.refusals(host, given) == []
    assert preflight.release_refusals(host.os_id, host.os_like, host.os_version, given) == []


def test_fedora_is_refused_by_name_with_the_reason() -> None:
    host, given = recorded("fedora-42"), variables()
    for found in (preflight.refusals(host, given), preflight.release_refusals(host.os_id, host.os_like, host.os_version, given)):
        (text,) = found
        assert "Fedora is not supported: its package manager is dnf 5" in text


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (("0", "0"), ("1", "28633")),
        (("1", "28633"), ("1", "28633")),  # the second run
        (("0", "100"), ("1", "100")),  # somebody has chosen a number
        ((None, "0"), (None, "28633")),
        ((None, None), (None, None)),
    ],
)
def test_what_release_7_has_off(live: Pair, wanted: Pair) -> None:
    host = recorded("centos-7", sysctls={name: value for name, value in zip(SEVEN, live) if value})
    assert tuple(map(parameters(host).get, SEVEN)) == wanted
    assert parameters(host, sysctls={kernel.NAMESPACES: 0})[kernel.NAMESPACES] == "0"


def test_no_user_namespaces_on_a_later_release_are_somebody_s_choice() -> None:
    host = recorded("rocky-9", sysctls={"user.max_user_namespaces": "0"})
    assert kernel.NAMESPACES not in parameters(host)


@pytest.mark.parametrize("engine", ["skiff", "docker-ce"])
def test_missing_modules_are_brought_for_the_kernel_that_runs(engine: str) -> None:
    given, name = variables(engine=engine), "kernel-modules-extra"
    extra = Package((name,), versions={name: "6.12.0-55.29.1.el10_0"})
    host, after = recorded("rocky-10", overlay=False), recorded("rocky-10", br_netfilter=True)
    assert extra in packages.resources(host, given)
    assert preflight.refusals(host, given) == []
    # The second run finds them, and the kernel's part is what it was.
    assert kernel.resources(host, given) == kernel.resources(after, given)
    assert Module("br_netfilter") in kernel.resources(host, given)
    assert [one for one in packages.resources(host, given) if one != extra] == packages.resources(after, given)


def test_a_container_gets_no_modules_of_its_own() -> None:
    host = recorded("rocky-10", br_netfilter=False, virtualisation="systemd-nspawn")
    assert modules.brought(host, variables()) is None
    assert modules.brought(recorded("rocky-10", br_netfilter=False, virtualisation="none"), variables())


@pytest.mark.parametrize(
    ("name", "kernel_release", "package", "version"),
    [
        ("rocky-10", "6.12.0-211.16.1.el10_2.0.1.x86_64", "kernel-modules-extra", "6.12.0-211.16.1.el10_2.0.1"),
        ("oracle-10", "6.12.0-55.40.1.0.1.el10_0.x86_64", "kernel-modules-extra", "6.12.0-55.40.1.0.1.el10_0"),
        ("oracle-10", "6.12.0-107.59.3.3.el10uek.x86_64", modules.UEK, "6.12.0-107.59.3.3.el10uek"),
        ("oracle-9", "6.12.0-107.59.3.4.el9uek.aarch64", modules.UEK, "6.12.0-107.59.3.4.el9uek"),
    ],
)
def test_a_kernel_s_filter_of_bridges_is_brought(name: str, kernel_release: str, package: str, version: str) -> None:
    host = recorded(name, br_netfilter=False, kernel=kernel_release)
    assert modules.brought(host, variables()) == Package((package,), versions={package: version})
    assert Module("br_netfilter") in kernel.resources(host, variables())


@pytest.mark.parametrize(
    ("name", "kernel_release", "cure"),
    [
        ("rocky-9", "5.14.0-503.14.1.el9_5.x86_64", "kernel-modules-extra"),
        ("oracle-10", "6.12.0-107.59.3.3.el10uek.x86_64", "kernel-uek-modules-core"),
        ("oracle-9", "5.15.0-206.153.7.el9uek.x86_64", "kernel-uek"),
        ("rocky-10", "6.12.0-55.el10.x86_64+debug", "kernel-modules-extra"),
        ("rocky-10", "6.1.0-18-amd64", "kernel-modules-extra"),
    ],
)
def test_no_other_package_is_thought_to_bring_overlay(name: str, kernel_release: str, cure: str) -> None:
    host = recorded(name, overlay=False, br_netfilter=False, kernel=kernel_release)
    assert modules.brought(host, variables()) is None
    texts: List[str] = preflight.refusals(host, variables())
    assert [text for text in texts if f"no overlay module; install {cure}-{kernel_release}" in text]
    assert Module("br_netfilter") not in kernel.resources(host, variables())


@pytest.mark.parametrize(
    ("name", "version", "package"),
    [
        ("centos-8", None, "python39"),  # its packages end with 8.5
        ("centos-stream-8", None, "python3.11"),
        ("rhel-8", "8.6", "python39"),
        ("rhel-8", None, "python3.11"),
        ("alma-8", None, "python3.11"),
        ("rocky-8", "8", "python3.11"),
    ],
)
def test_release_8_s_python_is_one_that_its_packages_have(name: str, version: Optional[str], package: str) -> None:
    host = recorded(name)
    chosen = interpreter.choose(dataclasses.replace(host, os_version=version) if version else host)
    assert chosen is not None
    assert chosen.package == package
