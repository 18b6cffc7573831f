"""What the checks conclude from what a host's commands said: good outcomes pass, each bad one fails by its title."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

import pytest

from fleet.agent.facts import selinux_mode
from fleet.checks import Check, Outcome
from roles.daemon_config import checks as daemon_config
from roles.firewall import checks as firewall
from roles.kernel import checks as kernel
from roles.selinux import checks as selinux
from roles.service import checks as service
from roles.service import container
from tests.unit.roles.hosts import IMAGE, facts, variables


def said(stdout: str = "", status: int = 0, stderr: str = "") -> Outcome:
    return Outcome(status, stdout, stderr)


def failed(checks: List[Check]) -> List[str]:
    return [check.title for check in checks if not check.passed]


def unit(load: str = "loaded", active: str = "active", enabled: str = "enabled") -> Outcome:
    return said(f"LoadState={load}\nActiveState={active}\nSubState=running\nUnitFileState={enabled}\n")


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        (unit("masked", "inactive", "masked"), []),
        (unit("masked", "inactive", "bad"), []),  # systemd 219
        (unit("loaded", "inactive", "disabled"), []),
        (unit("not-found", "inactive", ""), []),
        (unit("loaded", "active", "enabled"), ["firewalld does not run", "firewalld stays off after a boot"]),
        (unit("loaded", "inactive", "enabled"), ["firewalld stays off after a boot"]),
        (said(status=127), ["firewalld does not run", "firewalld stays off after a boot"]),
    ],
)
def test_firewall(outcome: Outcome, wanted: List[str]) -> None:
    assert failed(firewall.judge(facts(), variables(), {"unit": outcome})) == wanted


def test_what_is_kept_is_not_judged() -> None:
    kept = variables(firewalld="kept", selinux="kept")
    assert firewall.probes(facts(), kept) == []
    assert firewall.judge(facts(), kept, {}) == []
    assert selinux.probes(facts(), kept) == []
    assert selinux.judge(facts(), kept, {}) == []


@pytest.mark.parametrize(
    ("mode", "live", "file", "wanted"),
    [
        ("permissive", said("0"), "permissive", []),
        ("permissive", said(status=1), "permissive", []),
        ("permissive", said("1"), "permissive", ["SELinux is permissive"]),
        ("permissive", said("0"), "enforcing", ["SELinux stays permissive after a boot"]),
        ("disabled", said("0"), "disabled", []),
        ("disabled", said("1"), "disabled", ["SELinux is disabled"]),
        ("enforcing", said("0"), "enforcing", ["SELinux is enforcing"]),
    ],
)
def test_selinux(mode: str, live: Outcome, file: str, wanted: List[str]) -> None:
    outcomes = {"kernel": live, "file": said(f"# SELINUX=none\nSELINUX={file}\nSELINUXTYPE=targeted\n")}
    assert failed(selinux.judge(facts(), variables(selinux=mode), outcomes)) == wanted


@pytest.mark.parametrize(
    ("lines", "mode"),
    [
        (["SELINUX=permissive", "SELINUX=enforcing"], "permissive"),
        (["SELINUX = permissive", " SELINUX=permissive", "SELINUX=enforcing"], "enforcing"),
        (["SELINUX=", "permissive", "SELINUX=none", "selinux=permissive", "SELINUX=  Enforcing_1"], "enforcing"),
        (["SELINUX =enforcing"], "nothing"),
    ],
)
def test_selinux_s_file_is_read_as_the_next_boot_does(lines: List[str], mode: str) -> None:
    assert next(filter(None, map(selinux_mode, lines)), "nothing") == mode, "and as the agent does"
    _, at_boot = selinux.judge(facts(), variables(selinux="permissive"), {"kernel": said("0"), "file": said("\n".join(lines))})
    assert (at_boot.passed, at_boot.detail) == (mode == "permissive", f"/etc/selinux/config says {mode}")


@pytest.mark.parametrize(
    ("outcome", "passed"),
    [
        (said('index=0\nkernel="/a"\nargs="ro selinux=0"\nindex=1\nnon linux entry\n'), True),
        (said('index=0\nkernel="/a"\nargs="ro selinux=0"\nindex=1\nkernel="/b"\nargs="ro"\n'), False),
        (said('index=0\nkernel="/a"\nargs="ro selinux=01"\n'), False),
        (said("", 127, "grubby: not found"), False),
        (said(""), False),
    ],
)
def test_selinux_is_off_in_every_boot_entry(outcome: Outcome, passed: bool) -> None:
    off = variables(selinux="disabled")
    assert [probe.name for probe in selinux.probes(facts("8"), off)] == ["kernel", "file"]
    assert selinux.probes(facts(), off)[2].argv == ("grubby", "--info=ALL")
    outcomes = {"kernel": said("0"), "file": said("SELINUX=disabled\n"), "entries": outcome}
    assert failed(selinux.judge(facts(), off, outcomes)) == ([] if passed else ["SELinux is off in every boot entry"])


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        (said("1\n1\n1\n"), []),
        (said("1\n0\n1\n"), ["Kernel parameters are set"]),
        (said("1\n1\n", 1, "cannot stat /proc/sys/net/bridge"), ["Kernel parameters are set"]),
    ],
)
def test_kernel(outcome: Outcome, wanted: List[str]) -> None:
    (probe,) = kernel.probes(facts(), variables())
    assert probe.argv[2:] == ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
    assert failed(kernel.judge(facts(), variables(), {"values": outcome})) == wanted


@pytest.mark.parametrize(("status", "wanted"), [(0, []), (1, ["/etc/skiff/daemon.json is valid"])])
def test_daemon_config(status: int, wanted: List[str]) -> None:
    (probe,) = daemon_config.probes(facts(), variables())
    assert failed(daemon_config.judge(facts(), variables(), {probe.name: said(status=status)})) == wanted
    assert daemon_config.judge(facts(), variables(), {}) == []


VERSION = {"Client": {"Version": "1.2.3"}, "Server": {"Version": "1.2.3"}}
INFO: Dict[str, Any] = {
    "Driver": "overlay2",
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": "2",
    "RegistryConfig": {"Mirrors": ["https://mirror/"]},
    "DockerRootDir": "/var/lib/skiff",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Architecture": "x86_64",
    "Warnings": None,
}


def daemon(version: object = VERSION, **info: Any) -> Mapping[str, Outcome]:
    return {"unit": unit(), "version": said(json.dumps(version)), "info": said(json.dumps({**INFO, **info}))}


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        (daemon(), []),
        ({**daemon(), "unit": unit(active="failed")}, ["skiff.service runs"]),
        ({**daemon(), "unit": unit(enabled="disabled")}, ["skiff.service is enabled"]),
        (daemon({**VERSION, "Server": {"Version": "1.2.2"}}), ["Client and server have one version"]),
        (daemon({"Client": {"Version": "1"}, "Server": {"Version": "1"}}), ["Client and server have one version"]),
        (daemon({**VERSION, "Server": None}), ["Client and server have one version"]),
        ({**daemon(), "version": said("", 127)}, ["Client and server have one version"]),
        ({**daemon(), "info": said("[]", 1, "Cannot connect")}, ["info answers"]),
        (daemon(Driver="vfs"), ["The storage driver is as declared"]),
        (daemon(CgroupDriver=""), ["The control group driver is as declared"]),
        (daemon(CgroupVersion="1"), ["The control group version is the host's"]),
        (daemon(RegistryConfig={"Mirrors": []}), ["Registry mirrors are as declared"]),
        (daemon(RegistryConfig=None), ["Registry mirrors are as declared"]),
        (daemon(DockerRootDir="/var/lib/docker"), ["The data root is as declared"]),
        (daemon(Warnings=["WARNING: No swap limit support"]), ["Swap can be limited"]),
        (daemon(Warnings=["WARNING: API is accessible on http://0.0.0.0:2375"]), ["The engine warns of nothing else"]),
    ],
)
def test_daemon(outcomes: Mapping[str, Outcome], wanted: List[str]) -> None:
    assert failed(service.judge(facts(), variables(registry_mirrors=["https://mirror"]), outcomes)) == wanted


def test_a_missing_command_is_named() -> None:
    (check,) = [
        one for one in service.judge(facts(), variables(), {**daemon(), "info": said("", 127)}) if one.title == "info answers"
    ]
    assert check.detail == "the command skiff is missing"


def test_docker_s_names_are_asked_too() -> None:
    compat = variables(docker_compat=True, registry_mirrors=["https://mirror"])
    assert {"docker_unit", "docker_socket"} <= {probe.name for probe in service.probes(facts(), compat)}
    silent = {**daemon(), "docker_unit": unit(active="inactive"), "docker_socket": said("", 1, "no such file")}
    assert failed(service.judge(facts(), compat, silent)) == ["docker.service runs", "/run/docker.sock answers"]


def test_without_an_image_for_the_architecture_the_proof_fails_with_the_way_out() -> None:
    host = facts(arch="aarch64")
    assert "container" not in {probe.name for probe in service.probes(host, variables())}
    check = service.judge(host, variables(), daemon())[-1]
    assert not check.passed
    assert "--arch aarch64" in check.cure


def test_the_proof_runs_only_where_something_changed() -> None:
    (probe,) = [probe for probe in service.probes(facts(), variables()) if probe.name == "container"]
    assert (probe.when, probe.contents) == ("changed", {"script": container.SCRIPT, "image": IMAGE})
    names = {check.name for check in service.judge(facts(), variables(), daemon())}
    assert names.isdisjoint(claim.name for claim in container.CLAIMS)


SEEN = {
    **{f"host.{kind}": f"{kind}:[1]" for kind in container.NAMESPACES},
    **{f"container.{kind}": f"{kind}:[2]" for kind in container.NAMESPACES},
    "root": "overlay",
    "pid": "1",
    "first.status": "0",
    "second.status": "0",
    "memory.status": "137",
}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, []),
        ({"container.net": "net:[1]"}, ["It has 6 namespaces of its own"]),
        ({"container.uts": ""}, ["It has 6 namespaces of its own"]),
        ({"pid": "77"}, ["A container runs"]),
        ({"root": "ext4"}, ["It stands on an overlay"]),
        ({"memory.status": "0"}, ["Its memory limit is enforced"]),
        ({"memory.status": "1"}, ["Its memory limit is enforced"]),
        ({"second.status": "1"}, ["A write in it leaves the image untouched"]),
        ({"first.status": "125", "first.error": "no such image"}, ["A container runs"]),
    ],
)
def test_container(change: Dict[str, str], wanted: List[str]) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in {**SEEN, **change}.items())
    assert failed(container.judge(said(lines), "skiff")) == wanted


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (Outcome(124, "load.error=\n", "no answer within 120 s"), "no answer within 120 s"),
        (said("load.error=no space left \nfirst.status=125\nfirst.error=No such image \n"), "no space left; No such image"),
        (said("", 1), "status 1"),
    ],
)
def test_a_container_that_does_not_run_is_told_with_its_cause(outcome: Outcome, detail: str) -> None:
    (check,) = container.judge(outcome, "skiff")
    assert (check.passed, check.detail) == (False, detail)
