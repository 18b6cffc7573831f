"""Facts and variables in, resources out: a row a decision."""

from __future__ import annotations

import configparser
from types import ModuleType
from typing import Any, Dict, List

import pytest

from fleet.resources import Archive, Command, File, Handler, JsonFile, Link, Module, Package, Selinux, Sysctl, Template, Unit
from fleet.roles.loader import BUILT_IN
from fleet.roles.templates import render
from fleet.secret import Secret
from roles.daemon_config import role as daemon_config
from roles.firewall import role as firewall
from roles.kernel import role as kernel
from roles.packages import role as packages
from roles.preflight import role as preflight
from roles.repositories import role as repositories
from roles.runtime import role as runtime
from roles.selinux import role as selinux
from tests.unit.roles.hosts import BUNDLE, facts, variables

OFF = Unit("firewalld.service", enabled=False, active=False, masked=True, settled=("firewall-cmd", "--state"))
NEEDED = ("yum-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables")
FORWARD = {"net.ipv4.ip_forward": "1"}
BRIDGED = {**FORWARD, "net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
NO_SELINUX = {"selinux": {"mode": "disabled", "file": None}}


@pytest.mark.parametrize(
    ("role", "host", "given", "wanted"),
    [
        (preflight, {}, {}, []),
        (firewall, {}, {}, [OFF]),
        (firewall, {}, {"firewalld": "kept"}, []),
        (firewall, {"firewalld": {"installed": False}}, {}, []),
        (selinux, {}, {}, [Selinux("permissive")]),
        (selinux, {}, {"selinux": "disabled"}, [Selinux("disabled")]),
        (selinux, {}, {"selinux": "kept"}, []),
        (selinux, NO_SELINUX, {}, []),
        (selinux, {"selinux": {"mode": "disabled"}}, {}, [Selinux("permissive")]),
        (repositories, {}, {}, []),
        (packages, {}, {}, [Package(NEEDED)]),
        (packages, {"release": "8"}, {}, [Package((*NEEDED, "python3.11"))]),
        (packages, {"release": "10"}, {"extra_packages": ["jq", "lvm2"]}, [Package((*NEEDED, "jq"))]),
        (kernel, {}, {}, [Module("overlay"), Module("br_netfilter"), Sysctl("99-skiff", BRIDGED)]),
        (kernel, {"br_netfilter": False}, {}, [Module("overlay"), Sysctl("99-skiff", FORWARD)]),
        (
            kernel,
            {"br_netfilter": False},
            {"sysctls": {"net.core.somaxconn": 4096, "net.ipv4.ip_forward": "0"}},
            [Module("overlay"), Sysctl("99-skiff", {"net.ipv4.ip_forward": "0", "net.core.somaxconn": "4096"})],
        ),
    ],
)
def test_row(role: ModuleType, host: Dict[str, Any], given: Dict[str, Any], wanted: List[Any]) -> None:
    assert list(role.resources(facts(**host), variables(**given))) == wanted


@pytest.mark.parametrize(
    ("release", "python"),
    [("8", "/usr/bin/python3.11"), ("9", "/usr/bin/python3"), ("10", "/usr/bin/python3"), ("rocky", "/usr/bin/python3")],
)
def test_the_runtime_runs_on_the_release_s_python(release: str, python: str) -> None:
    deployed = runtime.resources(facts(release), variables())
    assert Archive("/opt/skiff/1.2.3", BUNDLE, compile_with=python, links={"python": python}) in deployed
    assert Link("/opt/skiff/current", "1.2.3") in deployed


def test_a_python_of_one_s_own_serves_release_7() -> None:
    pythons = [{"path": "/usr/bin/python3", "version": [3, 6, 8]}, {"path": "/usr/local/bin/python3.12", "version": [3, 12, 1]}]
    archive = next(one for one in runtime.resources(facts("7", pythons=pythons), variables()) if isinstance(one, Archive))
    assert archive.compile_with == "/usr/local/bin/python3.12"
    assert preflight.refusals(facts("7", pythons=pythons), variables()) == []


def test_installed_python_changes_nothing_in_the_second_run() -> None:
    pythons = [
        {"path": "/usr/libexec/platform-python", "version": [3, 6, 8]},
        {"path": "/usr/bin/python3.11", "version": [3, 11, 11]},
    ]
    for role in (packages, runtime):
        assert role.resources(facts("8", pythons=pythons), variables()) == role.resources(facts("8"), variables())


@pytest.mark.parametrize(
    ("host", "mirror", "files", "url"),
    [
        ({}, "aliyun", ["centos.repo"], "https://mirrors.aliyun.com/centos-stream/9-stream/BaseOS/$basearch/os/"),
        ({"release": "10"}, "official", ["centos.repo"], "https://mirror.stream.centos.org/10-stream/BaseOS/$basearch/os/"),
        (
            {"release": "8"},
            "official",
            [f"CentOS-Stream-{name}.repo" for name in ("BaseOS", "AppStream", "Extras", "Extras-common")],
            "https://vault.centos.org/8-stream/BaseOS/$basearch/os/",
        ),
        (
            {"release": "8", "os": {"version_id": "8", "pretty_name": "CentOS Linux 8"}},
            "aliyun",
            ["CentOS-Linux-BaseOS.repo", "CentOS-Linux-AppStream.repo", "CentOS-Linux-Extras.repo"],
            "https://mirrors.aliyun.com/centos-vault/8.5.2111/BaseOS/$basearch/os/",
        ),
        ({"release": "7"}, "official", ["CentOS-Base.repo"], "https://vault.centos.org/7.9.2009/os/$basearch/"),
        (
            {"release": "7", "arch": "aarch64"},
            "official",
            ["CentOS-Base.repo"],
            "https://vault.centos.org/altarch/7.9.2009/os/$basearch/",
        ),
    ],
)
def test_a_mirror_replaces_the_release_s_own_files(host: Dict[str, Any], mirror: str, files: List[str], url: str) -> None:
    *found, handler = repositories.resources(facts(**host), variables(package_mirror=mirror))
    templates = [one for one in found if isinstance(one, Template)]
    assert [one.path for one in templates] == [f"/etc/yum.repos.d/{name}" for name in files]
    sections: Any = templates[0].variables["sections"]
    assert sections[0]["url"] == url
    assert isinstance(handler, Handler)
    assert isinstance(handler.resource, Command)
    assert handler.listens == tuple(one.id for one in templates)


def test_a_repository_file_is_whole() -> None:
    first = repositories.resources(facts(), variables(package_mirror="official"))[0]
    assert isinstance(first, Template)
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(render(BUILT_IN.parent / "templates" / "repositories", first.template, first.variables).decode())
    assert parsed.sections() == ["baseos", "appstream", "crb"]
    assert dict(parsed["crb"]) == {
        "name": "CentOS Stream 9 - crb - official",
        "baseurl": "https://mirror.stream.centos.org/9-stream/CRB/$basearch/os/",
        "gpgcheck": "1",
        "gpgkey": "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial",
        "enabled": "0",
    }
    assert parsed["baseos"]["enabled"] == "1"


def test_release_10_has_a_key_of_another_name() -> None:
    keys = []
    for release in ("9", "10"):
        first = repositories.resources(facts(release), variables(package_mirror="aliyun"))[0]
        assert isinstance(first, Template)
        sections: Any = first.variables["sections"]
        keys.append(sections[0]["key"])
    assert keys == [f"file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial{suffix}" for suffix in ("", "-SHA256")]


@pytest.mark.parametrize(("proxy", "mode"), [("http://proxy", "0644"), (Secret("http://user:password@proxy"), "0600")])
def test_a_daemon_json_with_a_secret_in_it_is_root_s_alone(proxy: object, mode: str) -> None:
    file = daemon_config.resources(facts(), variables(daemon_options={"proxies": {"http-proxy": proxy}}))[1]
    assert isinstance(file, JsonFile)
    assert file.mode == mode


def test_no_role_removes_a_file_of_somebody_else() -> None:
    every = [firewall, selinux, packages, kernel, runtime]
    found = [one for role in every for one in role.resources(facts(), variables())]
    assert not [one for one in found if isinstance(one, File) and one.state == "absent"]
