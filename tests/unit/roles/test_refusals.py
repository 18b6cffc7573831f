"""What each role refuses, by a word of its message; a good host and good variables are refused nothing."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, List

import pytest

from roles.daemon_config import role as daemon_config
from roles.kernel import role as kernel
from roles.packages import role as packages
from roles.preflight import role as preflight
from roles.repositories import role as repositories
from roles.runtime import role as runtime
from roles.selinux import role as selinux
from roles.service import role as service
from tests.unit.roles.hosts import facts, variables

EVERY = [preflight, selinux, repositories, packages, kernel, runtime, daemon_config, service]
FULL = [{"path": path, "type": "ext4", "ftype": None, "free": 10**8, "size": 10**10} for path in ("/var/lib", "/opt")]
OLD_XFS = [{"path": path, "type": "xfs", "ftype": False, "free": 10**10, "size": 10**11} for path in ("/var/lib", "/opt")]
FOREIGN = {"docker": {"unit": True, "socket": "foreign"}}


@pytest.mark.parametrize("release", ["8", "9", "10", "rocky"])
def test_a_good_host_is_refused_by_nobody(release: str) -> None:
    assert [text for role in EVERY for text in role.refusals(facts(release), variables())] == []


@pytest.mark.parametrize(
    ("role", "host", "given", "words"),
    [
        (preflight, {"arch": "i686"}, {}, ["i686"]),
        (preflight, {"arch": "s390x"}, {}, ["s390x"]),
        (preflight, {"release": "debian"}, {}, ["Debian GNU/Linux 12"]),
        (preflight, {"release": "7"}, {}, ["docker-ce"]),
        (preflight, {"release": "7", "kernel": "3.10.0-327.el7.x86_64"}, {}, ["3.10.0-514"]),
        (preflight, {"kernel": "5.14.0", "overlay": False}, {}, ["overlay module"]),
        (preflight, {"systemd": False}, {}, ["systemd"]),
        (packages, {}, {"extra_packages": ["--nogpgcheck", "@core", "vim*", "git"]}, ["'--nogpgcheck'", "'@core'", "'vim*'"]),
        (packages, {}, {"extra_packages": ["perl(Foo::Bar)", "/usr/bin/jq", "gcc-c++"]}, []),
        (preflight, {"storage": FULL}, {}, ["/opt has 0.1 GB", "/var/lib has 0.1 GB"]),
        (preflight, {"storage": FULL}, {"min_free_gb": 0}, []),
        (preflight, {}, {"verify_timeout": 0}, ["verify_timeout: should be at least 1 second."]),
        (preflight, {"storage": OLD_XFS}, {}, ["ftype=1"]),
        (preflight, {"storage": OLD_XFS}, {"data_root": "/data/skiff"}, []),
        (preflight, {"release": "debian", "arch": "i686", "storage": FULL}, {}, ["i686", "Debian", "/opt", "/var/lib"]),
        (selinux, {"selinux": {"mode": "disabled", "file": None}}, {"selinux": "enforcing"}, ["no SELinux"]),
        (selinux, {"selinux": {"mode": "disabled", "file": None}}, {}, []),
        (repositories, {"release": "rocky"}, {"package_mirror": "aliyun"}, ["Rocky Linux"]),
        (repositories, {"release": "rocky"}, {}, []),
        (kernel, {}, {"sysctls": {"no spaces": "1"}}, ["no name of a kernel parameter"]),
        (kernel, {}, {"sysctls": {"net.core.somaxconn": [1]}}, ["should be a number"]),
        (kernel, {}, {"sysctls": {"net.core.somaxconn": "1\n2"}}, ["should be a number"]),
        (kernel, {}, {"sysctls": {"net.ipv4.conf.eth0/1.rp_filter": 0}}, []),
        (runtime, {}, {"data_root": "relative"}, ["data_root"]),
        (runtime, {}, {"data_root": "/"}, ["data_root"]),
        (runtime, {}, {"data_root": "/srv/skiff/"}, ["data_root"]),
        (runtime, {}, {"data_root": "/srv/skiff"}, []),
        (runtime, {}, {"data_root": "/usr"}, ["a directory of the system's"]),
        (runtime, {}, {"data_root": "/var/lib"}, ["a directory of the system's"]),
        (runtime, {}, {"data_root": "/data"}, []),
        (daemon_config, {}, {"registry_mirrors": ["abc.mirror.aliyuncs.com"]}, ["should be https://HOST"]),
        (daemon_config, {}, {"registry_mirrors": ["ftp://mirror"]}, ["should be https://HOST"]),
        (daemon_config, {}, {"registry_mirrors": ["https://<id>.mirror.aliyuncs.com"]}, ["is an example"]),
        (daemon_config, {}, {"registry_mirrors": ["https://mirror/library"]}, ["should end after the host: https://mirror."]),
        (daemon_config, {}, {"registry_mirrors": ["https://mirror?x=1"]}, ["should end after the host"]),
        (daemon_config, {}, {"registry_mirrors": ["https://mirror:port"]}, ["is no address"]),
        (daemon_config, {}, {"registry_mirrors": ["https://a.example/", "http://b.example:5000"]}, []),
        (daemon_config, {}, {"insecure_registries": ["http://registry:5000"]}, ["no scheme"]),
        (daemon_config, {}, {"insecure_registries": ["registry:5000", "10.0.0.0/8"]}, []),
        (daemon_config, {}, {"daemon_options": {"data-root": "/x", "hosts": []}}, ["set data_root", "set docker_compat"]),
        (service, FOREIGN, {"docker_compat": True}, ["Docker is installed"]),
        (service, {"docker": {"socket": "foreign"}}, {"docker_compat": True}, ["another engine"]),
        (service, {"docker": {"compat": True, "socket": "skiff"}}, {"docker_compat": True}, []),
        (service, FOREIGN, {}, []),
    ],
)
def test_row(role: ModuleType, host: Dict[str, Any], given: Dict[str, Any], words: List[str]) -> None:
    found = role.refusals(facts(**host), variables(**given))
    assert len(found) == len(words), found
    for text, word in zip(found, words):
        assert word in text


def test_a_mirror_s_password_is_not_shown() -> None:
    (text,) = daemon_config.refusals(facts(), variables(registry_mirrors=["https://me:hunter2@mirror"]))
    assert "hunter2" not in text
    assert "me" not in text.split("...")[1].split(":")[0]


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("3.10.0-1160.el7.x86_64", (3, 10, 0, 1160)),
        ("5.14.0-503.11.1.el9_5.x86_64", (5, 14, 0, 503)),
        ("6.18.44-fc-v669", (6, 18, 44)),
        ("6.1", (6, 1)),
        ("unknown", ()),
    ],
)
def test_kernel_version(release: str, version: tuple[int, ...]) -> None:
    assert preflight.kernel_version(release) == version


@pytest.mark.parametrize(
    ("os_id", "os_like", "version", "words"),
    [
        ("centos", ("rhel", "fedora"), "7", "centos 7 has no package of one"),
        ("centos", ("rhel", "fedora"), "8", ""),
        ("rocky", ("rhel",), "9.4", ""),
        ("debian", (), "12", "The host runs debian 12"),
        ("centos", (), "stream", ""),
    ],
)
def test_a_release_is_refused_before_it_is_given_a_python(os_id: str, os_like: List[str], version: str, words: str) -> None:
    found = preflight.release_refusals(os_id, os_like, version, variables())
    assert bool(found) is bool(words)
    assert words in " ".join(found)
