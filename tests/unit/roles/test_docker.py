"""engine: docker-ce, a row a decision: what each role plans on releases 7 to 10, what it refuses, what it concludes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import pytest

from fleet.checks import Check, Outcome
from fleet.content import Content
from fleet.resources import Departure, Directory, File, Group, JsonFile, Package, Repository, Template, Unit
from fleet.roles.compile import Compiler
from fleet.roles.loader import BUILT_IN
from fleet.roles.templates import render
from fleet.rpm import Rpm
from fleet.secret import Secret
from fleet.variables import Variables
from roles.daemon_config import checks as daemon_checks
from roles.daemon_config import role as daemon_config
from roles.kernel import role as kernel
from roles.packages import docker as docker_packages
from roles.packages import role as packages
from roles.preflight import role as preflight
from roles.repositories import role as repositories
from roles.runtime import role as runtime
from roles.service import checks as service_checks
from roles.service import role as service
from tests.unit.roles.hosts import IMAGE, facts, variables

PARTS = ("docker-ce", "docker-ce-cli", "containerd.io")
NEEDED = ("yum-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables")
OLD = docker_packages.OLD
ALIYUN = "https://mirrors.aliyun.com/docker-ce/linux/centos"
RELEASES = ["7", "8", "9", "10"]
GROUP = Group("docker", system=True)


def docker(**changes: Any) -> Variables:
    return variables(engine="docker-ce", **changes)


def rpm(name: str, version: str = "26.1.4", release: str = "1.el9", arch: str = "x86_64") -> Rpm:
    return Rpm(name, version, release, arch, Content.of(f"{name} {version}-{release}.{arch}".encode()))


WHOLE = tuple(rpm(name) for name in PARTS)


def kinds(found: List[Any], kind: Any) -> List[Any]:
    return [one for one in found if isinstance(one, kind)]


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_is_taken(release: str) -> None:
    host, given = facts(release), docker()
    for role in (preflight, repositories, packages, kernel, runtime, daemon_config, service):
        assert role.refusals(host, given) == []
    assert preflight.release_refusals("centos", ("rhel", "fedora"), release, given) == []


@pytest.mark.parametrize("release", RELEASES)
def test_the_plan_is_the_same_on_every_release_but_for_the_repository(release: str) -> None:
    host, given = facts(release), docker()
    assert repositories.resources(host, given) == [
        Repository(
            "docker-ce",
            description=f"Docker CE - {release} - $basearch",
            baseurl=f"{ALIYUN}/{release}/$basearch/stable",
            gpgkey=f"{ALIYUN}/gpg",
        )
    ]
    # No Python is brought: nothing of the runtime is deployed.
    assert packages.resources(host, given) == [Package(OLD, state="absent"), Package(NEEDED), GROUP, Package(PARTS)]
    assert runtime.resources(host, given) == []
    assert kinds(daemon_config.resources(host, given), JsonFile)[0].path == "/etc/docker/daemon.json"
    assert kinds(service.resources(host, given), Unit)[0].name == "docker.service"


@pytest.mark.parametrize(
    "given", [{}, {"https_proxy": "http://me:hunter22@proxy.test:1", "package_proxy": "http://me:hunter22@proxy.test:1"}]
)
def test_all_of_it_compiles(given: Dict[str, Any]) -> None:
    wanted = docker(docker_users=["ann"], docker_plugins=["docker-buildx-plugin"], **given)
    compiler = Compiler(wanted.secrets)
    for role in (repositories, packages, daemon_config, service):
        name = role.__name__.split(".")[1]
        compiler.add_role(name, BUILT_IN.parent / "templates" / name, role.resources(facts(), wanted), ())
    compiler.refuse_dangling()
    assert len({wire["id"] for wire in compiler.resources}) == len(compiler.resources) == 16


@pytest.mark.parametrize(
    ("host", "given", "url"),
    [
        ({}, {"docker_repository": "official"}, "https://download.docker.com/linux/centos/9/$basearch/stable"),
        ({"release": "rocky"}, {}, f"{ALIYUN}/9/$basearch/stable"),
        ({"os": {"id": "rhel", "version_id": "9.4"}}, {}, "https://mirrors.aliyun.com/docker-ce/linux/rhel/9/$basearch/stable"),
        ({"os": {"id": "rhel", "version_id": "7.9"}}, {}, f"{ALIYUN}/7/$basearch/stable"),
        (
            {},
            {"docker_repository": "http://mirror.test/docker-ce/"},
            "http://mirror.test/docker-ce/linux/centos/9/$basearch/stable",
        ),
        ({}, {"docker_repository": "file:///mnt"}, "file:///mnt/linux/centos/9/$basearch/stable"),
    ],
)
def test_where_packages_come_from(host: Dict[str, Any], given: Dict[str, Any], url: str) -> None:
    (found,) = repositories.resources(facts(**host), docker(**given))
    assert isinstance(found, Repository)
    assert (found.baseurl, found.gpgcheck, found.secret) == (url, True, False)


@pytest.mark.parametrize("given", [{"docker_repository": "kept"}, {"rpms": WHOLE}])
def test_no_repository_is_written_where_none_is_wanted(given: Dict[str, Any]) -> None:
    assert repositories.resources(facts(), docker(**given)) == []


def test_a_proxy_s_password_is_followed_as_a_secret() -> None:
    given = docker(package_proxy="http://fleet:p%40ssword@proxy.test:3128", package_mirror="aliyun")
    base, _, found = repositories.resources(facts(), given)
    assert isinstance(found, Repository)
    assert found.options == {"proxy": "http://proxy.test:3128", "proxy_username": "fleet", "proxy_password": Secret("p@ssword")}
    compiler = Compiler(given.secrets)
    compiler.add_role("repositories", BUILT_IN.parent / "templates" / "repositories", [base, found], ())
    for wire in compiler.resources:
        assert wire["secret"] is True
    assert compiler.resources[0]["mode"] == "0600"
    assert compiler.resources[1]["options"]["proxy_password"] == "p@ssword"
    (content,) = compiler.contents.values()
    assert b"proxy=http://proxy.test:3128\nproxy_username=fleet\nproxy_password=p@ssword\n" in b"".join(content.chunks())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"docker_version": "26.1.4"}, [Package(PARTS, versions=dict.fromkeys(PARTS[:2], "26.1.4"))]),
        ({"docker_version": "3:26.1.4-1.el9"}, [Package(PARTS, versions=dict.fromkeys(PARTS[:2], "26.1.4-1.el9"))]),
        ({"containerd_version": "1.6.33"}, [Package(PARTS, versions={"containerd.io": "1.6.33"})]),
        ({"docker_plugins": ["docker-compose-plugin"]}, [Package(PARTS), Package(("docker-compose-plugin",))]),
    ],
)
def test_versions_and_plugins(given: Dict[str, Any], wanted: List[Package]) -> None:
    assert packages.resources(facts(), docker(**given))[3:] == wanted


def test_podman_goes_only_where_it_is_asked_for() -> None:
    assert packages.resources(facts(), docker(remove_podman=True))[0] == Package((*OLD, *docker_packages.PODMAN), state="absent")


def test_rpms_that_are_sent_are_those_of_the_host() -> None:
    others = (rpm("docker-ce", release="1.el8"), rpm("containerd.io", arch="aarch64"), rpm("libcgroup", "3", "1"))
    given = docker(rpms=(*WHOLE, *others))
    assert packages.refusals(facts(), given) == []
    names = (*PARTS, "libcgroup")
    files = {one.name: one.content for one in (*WHOLE, others[-1])}
    # The host's repositories may be out of reach: nothing but what is sent, and what is asked for by name.
    assert packages.resources(facts(), given) == [
        Package(OLD, state="absent"),
        GROUP,
        Package(names, versions=dict.fromkeys(PARTS, "26.1.4-1.el9"), files=files),
    ]
    assert docker_packages.version(facts(), given) == "26.1.4"


@pytest.mark.parametrize(
    ("host", "given", "words"),
    [
        ({"release": "10"}, {"rpms": WHOLE}, ["no docker-ce, docker-ce-cli, containerd.io for x86_64 on release 10"]),
        ({"arch": "aarch64"}, {"rpms": WHOLE}, ["for aarch64 on release 9"]),
        (
            {},
            {"rpms": (*WHOLE, rpm("docker-ce", "27.0.0"))},
            ["docker-ce for x86_64 on release 9 as 26.1.4-1.el9 and 27.0.0-1.el9"],
        ),
        ({}, {"rpms": (*WHOLE, rpm("docker-ce", "27.0.0")), "docker_version": "26.1.4"}, []),
        ({}, {"rpms": WHOLE, "docker_version": "27.0.0"}, ["in version 27.0.0"]),
        ({}, {"rpms": WHOLE, "docker_plugins": ["docker-buildx-plugin"]}, ["no docker-buildx-plugin"]),
        ({}, {"docker_version": "latest"}, ["'latest' is no version"]),
        ({}, {"docker_version": "26.1; rm -rf /"}, ["is no version"]),
        ({}, {"docker_plugins": ["docker-scan-plugin"]}, ["there is no docker-scan-plugin"]),
    ],
)
def test_packages_refused(host: Dict[str, Any], given: Dict[str, Any], words: List[str]) -> None:
    assert_told(packages.refusals(facts(**host), docker(**given)), words)


@pytest.mark.parametrize(
    ("host", "given", "words"),
    [
        ({"os": {"version_id": "3", "pretty_name": "Alibaba Cloud Linux 3"}}, {}, ["the host runs Alibaba Cloud Linux 3"]),
        ({"os": {"version_id": "3"}}, {"docker_repository": "kept"}, []),
        ({}, {"docker_repository": "tsinghua"}, ["should be one of aliyun, official, kept"]),
        ({}, {"docker_repository": "https://me:secret@mirror.test"}, ["without a password"]),
        ({}, {"docker_repository": "https://<mirror>/docker-ce"}, ["should be one of"]),
        ({}, {"package_proxy": "proxy.test:3128"}, ["package_proxy: should be http://HOST:PORT"]),
        ({}, {"package_proxy": "http://me:hunter2@proxy.test"}, ["package_proxy: should be"]),
        ({}, {"package_proxy": "http://proxy.test:port"}, ["package_proxy: should be"]),
        ({}, {"package_proxy": "http://me:a%0Ab@proxy.test:1"}, ["package_proxy: should be"]),
    ],
)
def test_repositories_refused(host: Dict[str, Any], given: Dict[str, Any], words: List[str]) -> None:
    assert_told(repositories.refusals(facts(**host), docker(**given)), words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"daemon_options": {"hosts": [], "registry-mirrors": []}}, ["set registry_mirrors", "would stop dockerd"]),
        ({"daemon_options": {"data-root": "/x"}}, ["set docker_data_root instead"]),
        ({"docker_data_root": "/var/lib"}, ["docker_data_root: /var/lib is a directory of the system's"]),
        ({"registry_mirrors": ["mirror.test"]}, ["should be https://HOST"]),
        ({"daemon_options": {"log-opts": {}}, "docker_data_root": "/data/docker"}, []),
    ],
)
def test_options_refused(given: Dict[str, Any], words: List[str]) -> None:
    assert_told(daemon_config.refusals(facts(), docker(**given)), words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"http_proxy": "proxy.test:3128", "https_proxy": "http://a b"}, ["http_proxy: should", "https_proxy: should"]),
        ({"https_proxy": "http://me:hunter2@[proxy"}, ["https_proxy: should be"]),
        ({"docker_users": ["a,b", ""], "no_proxy": ["a b"]}, ["no_proxy: 'a b'", "docker_users: 'a,b'", "docker_users: ''"]),
        ({"http_proxy": "http://me:hunter2@proxy.test:3128", "no_proxy": ["::1", "10.0.0.0/8", ".lab"]}, []),
    ],
)
def test_service_refused(given: Dict[str, Any], words: List[str]) -> None:
    found = service.refusals(facts(), docker(**given))
    assert_told(found, words)
    assert "hunter2" not in "".join(found)


def assert_told(found: List[str], words: List[str]) -> None:
    assert len(found) == len(words), found
    for text, word in zip(found, words):
        assert word in text


def test_daemon_json_and_what_dockerd_reloads() -> None:
    given = docker(registry_mirrors=["https://m.test"], daemon_options={"live-restore": True, "debug": None})
    directory, file, *_ = daemon_config.resources(facts(), given)
    assert directory == Directory("/etc/docker")
    assert isinstance(file, JsonFile)
    assert (file.values, file.remove) == (
        {"registry-mirrors": ["https://m.test"], "live-restore": True},
        ("debug", "insecure-registries"),  # a data root that nobody names is not taken out: the engine's data hangs on it
    )
    assert {"runtimes", "features", "max-download-attempts", "registry-mirrors"} <= set(file.reloadable)
    assert not {"data-root", "log-opts", "exec-opts", "bip", "storage-driver"} & set(file.reloadable)


@pytest.mark.parametrize(
    ("named", "written", "root"),
    [("", None, "/var/lib/docker"), ("", "/srv/docker", "/srv/docker"), ("/data/docker", "/srv/docker", "/data/docker")],
)
def test_the_engine_s_data_is_known_for_what_it_is(named: str, written: Optional[str], root: str) -> None:
    found = daemon_config.resources(facts(docker={"root": written}), docker(docker_data_root=named))
    kept = [one for one in kinds(found, Directory) if one.data]
    assert [(one.path, one.mode, one.owner, one.group) for one in kept] == [
        (root, None, None, None),
        ("/var/lib/containerd", None, None, None),
        ("/opt/containerd", None, None, None),
    ]


def test_a_secret_in_daemon_json_makes_it_root_s_alone() -> None:
    for options, mode in (
        ({"proxies": {"https-proxy": Secret("http://me:hunter22@proxy.test")}}, "0600"),
        ({"debug": True}, "0644"),
    ):
        (file,) = kinds(daemon_config.resources(facts(), docker(daemon_options=options)), JsonFile)
        assert file.mode == mode


@pytest.mark.parametrize(
    ("help_text", "verdict", "status"),
    [("      --validate   Validate", 0, 0), ("      --validate   Validate", 1, 1), ("      --userns-remap", 1, 0)],
)
def test_dockerd_judges_its_file_where_it_can(tmp_path: Path, help_text: str, verdict: int, status: int) -> None:
    daemon = tmp_path / "dockerd"
    daemon.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && echo "{help_text}" && exit\n[ "$3" = "/a b.json" ] || exit 9\nexit {verdict}\n'
    )
    daemon.chmod(0o755)
    (file,) = kinds(daemon_config.resources(facts(), docker()), JsonFile)
    argv = [word.replace("{}", "/a b.json") for word in file.validate]
    assert subprocess.run(argv, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}).returncode == status
    (probe,) = daemon_checks.probes(facts(), docker())
    assert probe.argv == (*file.validate[:-1], "/etc/docker/daemon.json")


def test_the_service_and_what_restarts_it() -> None:
    found = service.resources(facts(), docker())
    assert [type(one).__name__ for one in found] == ["Departure", "Directory", "File", "Template", "Unit"]
    unit = found[-1]
    assert isinstance(unit, Unit)
    assert (unit.name, unit.enabled, unit.active, unit.reload_on) == (
        "docker.service",
        True,
        True,
        ("file:/etc/docker/daemon.json",),
    )
    assert set(unit.restart_on) == {
        "package:present:docker-ce,docker-ce-cli,containerd.io",
        "file:/etc/docker/skiff-proxies",
        "file:/etc/systemd/system/docker.service.d/skiff.conf",
        "file:/etc/docker/daemon.json#restart",
    }


def test_proxies_stand_in_a_file_of_root_s_alone() -> None:
    given = docker(https_proxy='http://me:a"b$c\\d@proxy.test:3128', no_proxy=["10.0.0.0/8", ".lab"], docker_users=["ann", "bob"])
    found = service.resources(facts(), given)
    assert kinds(packages.resources(facts(), given), Group) == [Group("docker", system=True, members=("ann", "bob"))]
    (file,) = kinds(found, File)
    assert (file.path, file.mode, file.secret, file.content.secret) == ("/etc/docker/skiff-proxies", "0600", True, True)
    text = b"".join(file.content.chunks()).decode()
    assert text == 'HTTPS_PROXY="http://me:a\\"b\\$c\\\\d@proxy.test:3128"\nNO_PROXY="10.0.0.0/8,.lab"\n'
    (template,) = kinds(found, Template)
    drop_in = render(BUILT_IN.parent / "templates" / "service", template.template, template.variables).decode()
    assert "EnvironmentFile=/etc/docker/skiff-proxies\n" in drop_in
    assert "X-Skiff=engine\n" in drop_in
    assert "proxy.test" not in drop_in, "systemd tells every user what stands in a unit"


def departures(host: Dict[str, Any], given: Variables) -> List[Tuple[str, Tuple[str, ...], bool]]:
    found = kinds(service.resources(facts(docker=host), given), Departure)
    return [(one.engine, one.units, one.stop_containers) for one in found]


def test_each_engine_is_left_for_the_other() -> None:
    managed = {"unit": True, "managed": True, "socket": "foreign"}
    assert departures({}, docker()) == [("skiff", ("skiff.service",), False)]
    assert departures({"compat": True}, docker(engine_switch="stop")) == [("skiff", ("docker.service", "skiff.service"), True)]
    assert departures(managed, variables()) == [("docker-ce", ("docker.socket", "docker.service"), False)]
    assert departures({**managed, "managed": False}, variables()) == [], "a Docker of somebody else's runs on"


def test_docker_s_names_change_hands() -> None:
    def gone(found: List[Any]) -> List[str]:
        return [one.path for one in kinds(found, File) if one.state == "absent" and "skiff-proxies" not in one.path]

    names = ["/etc/systemd/system/docker.service", "/usr/local/bin/docker"]
    assert gone(service.resources(facts(docker={"compat": True}), docker())) == names
    assert gone(service.resources(facts(), docker())) == []
    managed = {"unit": True, "managed": True, "socket": "foreign"}
    assert service.refusals(facts(docker=managed), variables(docker_compat=True)) == []
    taken = service.resources(facts(docker={**managed, "compat": True}), variables(docker_compat=True))
    assert Unit("docker.socket", enabled=False, active=False) in taken
    assert not kinds(taken, Departure)


VERSION = {"Client": {"Version": "26.1.4"}, "Server": {"Version": "26.1.4"}}
INFO: Dict[str, Any] = {
    "Driver": "overlay2",
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "RegistryConfig": {"Mirrors": []},
    "Warnings": [],
}
INFO.update({"SecurityOptions": ["name=seccomp,profile=builtin"], "Architecture": "x86_64", "DockerRootDir": "/var/lib/docker"})
UNIT = Outcome(0, "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n", "")
SEEN = {"first.status": "0", "pid": "1", "root": "overlay", "memory.status": "137", "second.status": "0"}
SPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")


def outcomes(version: object = VERSION, shared: Tuple[str, ...] = (), **info: Any) -> Mapping[str, Outcome]:
    seen = {
        **SEEN,
        **{f"host.{kind}": "1" for kind in SPACES},
        **{f"container.{kind}": "1" if kind in shared else "2" for kind in SPACES},
    }
    return {
        "unit": UNIT,
        "version": Outcome(0, json.dumps(version), ""),
        "info": Outcome(0, json.dumps({**INFO, **info}), ""),
        "container": Outcome(0, "".join(f"{key}={value}\n" for key, value in seen.items()), ""),
    }


@pytest.mark.parametrize(
    ("found", "given", "host", "wanted"),
    [
        (outcomes(), {"docker_version": "26.1.4-1.el9"}, {}, []),
        (outcomes({side: {"Version": "20.10.24+dfsg1"} for side in VERSION}), {"docker_version": "20.10.24"}, {}, []),
        (outcomes(), {"docker_version": "27.0.0"}, {}, ["Client and server have one version"]),
        (outcomes({**VERSION, "Server": {"Version": "26.1.3"}}), {}, {}, ["Client and server have one version"]),
        (outcomes(Driver="vfs"), {}, {}, ["The storage driver is as declared"]),
        (outcomes(Driver="overlayfs", CgroupVersion=""), {}, {}, []),
        (outcomes(Warnings=["WARNING: bridge-nf-call-iptables is disabled"]), {}, {}, ["Bridged packets pass iptables"]),
        (outcomes(), {"registry_mirrors": ["https://m.test"]}, {}, ["Registry mirrors are as declared"]),
        (outcomes(DockerRootDir="/data"), {"docker_data_root": "/data"}, {}, []),
        (outcomes(DockerRootDir="/var/lib/docker"), {"docker_data_root": "/data"}, {}, ["The data root is as declared"]),
        (outcomes(shared=("cgroup",)), {}, {}, ["It has 6 namespaces of its own"]),
        (outcomes(shared=("cgroup",), CgroupVersion="1"), {}, {"cgroup": "v1"}, []),
        (outcomes(shared=("net",), CgroupVersion="1"), {}, {"cgroup": "v1"}, ["It has 5 namespaces of its own"]),
    ],
)
def test_checks(found: Mapping[str, Outcome], given: Dict[str, Any], host: Dict[str, Any], wanted: List[str]) -> None:
    checks: List[Check] = service_checks.judge(facts(**host), docker(**given), found)
    assert [check.title for check in checks if not check.passed] == wanted


def test_probes_ask_docker_s_own_client() -> None:
    version, info, unit, container, *_ = service_checks.probes(facts(), docker(docker_compat=True))
    assert unit.argv[-1] == "docker.service"
    assert version.argv == ("/usr/bin/docker", "version", "--format", "{{json .}}")
    assert info.argv == ("/usr/bin/docker", "info", "--format", "{{json .}}")
    assert container.argv[-1] == "/usr/bin/docker"
    assert container.contents["image"] == IMAGE
