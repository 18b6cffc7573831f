"""Every release's facts, fed to all roles: the plans are those in plans/, and hold after they are carried out."""

from __future__ import annotations

import json
from typing import Any, List, Mapping, Optional, Tuple

import pytest

from fleet.facts import Facts
from fleet.resources import Module, Package, Sysctl
from roles import modules
from roles.kernel import role as kernel
from roles.packages import role as packages
from roles.preflight import role as preflight
from tests.unit.roles.hosts import variables
from tests.unit.roles.releases import HERE, NAMES, plans, recorded

SEVEN = (kernel.DETACH, kernel.NAMESPACES)
Pair = Tuple[Optional[str], Optional[str]]


def parameters(host: Facts, **given: Any) -> Mapping[str, str]:
    (found,) = [one for one in kernel.resources(host, variables(**given)) if isinstance(one, Sysctl)]
    return found.values


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_reviewed_one(name: str) -> None:
    assert plans(name) == json.loads((HERE / "plans" / f"{name}.json").read_text())


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
    extra = Package((name,), versions={name: "6.12.0-55.14.1.el10_0"})
    host, after = recorded("rocky-10", overlay=False, br_netfilter=False), recorded("rocky-10")
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
    ("name", "kernel_release"),
    [
        ("rocky-9", "5.14.0-503.14.1.el9_5.x86_64"),
        ("oracle-10", "6.12.0-100.28.2.el10uek.x86_64"),
        ("rocky-10", "6.12.0-55.el10.x86_64+debug"),
        ("rocky-10", "6.1.0-18-amd64"),
    ],
)
def test_other_kernels_have_other_packages(name: str, kernel_release: str) -> None:
    host = recorded(name, overlay=False, br_netfilter=False, kernel=kernel_release)
    assert modules.brought(host, variables()) is None
    texts: List[str] = preflight.refusals(host, variables())
    assert [text for text in texts if "no overlay module" in text]
    assert Module("br_netfilter") not in kernel.resources(host, variables())
