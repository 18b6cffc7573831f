"""Claims: each check that is judged was claimed, each claim can fail, and fails with its own words."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

import pytest

from fleet.checks import Check, Claim, Outcome
from fleet.roles import ORDER
from fleet.roles.loader import BUILT_IN, load_role
from fleet.run import desired
from roles.daemon_config import checks as daemon_config
from roles.preflight import checks as preflight
from roles.service import boot, fields, support
from roles.service import checks as service
from tests.unit.fleet.wire import job
from tests.unit.roles.hosts import facts, variables

ROLES = [load_role(name, BUILT_IN / name) for name in ORDER]
GIGABYTE = 10**9


def answer(value: object) -> Outcome:
    return Outcome(0, json.dumps(value), "")


def verdicts(checks: List[Check]) -> Dict[str, Tuple[str, str]]:
    """Severity and detail of what did not pass, by name."""
    return {check.name: (check.severity, check.detail) for check in checks if not check.passed}


@pytest.mark.parametrize("engine", ["skiff", "docker-ce"])
def test_a_claim_takes_probes_that_there_are_and_tells_what_to_do(engine: str) -> None:
    for role in ROLES:
        given = variables(
            engine=engine,
            docker_compat=engine == "skiff",
            registry_mirrors=["https://m.test"],
            selinux="disabled",
            verify_mirrors=True,
        )
        names = {probe.name for probe in role.probes(facts(), given)}
        for claim in role.claims:
            compat = claim.name.startswith("docker_") and engine != "skiff"
            assert compat or set(claim.probes) <= names, claim
            assert claim.breaks
            assert claim.cure
        taken = {name for claim in role.claims for name in claim.probes}
        assert names <= taken, f"{role.name}: a probe that no claim takes"


def room_of(path: str, free: float, inodes: int = 50, size: float = 100, mount: str = "") -> Dict[str, Any]:
    sizes = {"free": int(free * GIGABYTE), "size": int(size * GIGABYTE), "inodes_free": inodes, "inodes": 100}
    return {"path": path, "mount": mount or path, **sizes}


OVERLAY = {"there": True, "type": "xfs", "ftype": True, "overlay": ""}
PREFLIGHT: List[Tuple[str, object, Dict[str, Tuple[str, str]]]] = [
    ("namespaces", {"net": "", "pid": ""}, {}),
    ("namespaces", {"net": "unshare: No space", "pid": ""}, {"namespaces": ("critical", "net: unshare: No space")}),
    ("cgroups", {"version": 1, "controllers": {"memory": "", "pids": ""}}, {}),
    (
        "cgroups",
        {"version": 1, "controllers": {"memory": "this kernel has none", "pids": ""}},
        {"cgroup_controllers": ("critical", "version 1: memory: this kernel has none")},
    ),
    (
        "cgroups",
        {"version": 2, "controllers": {"cpu": "", "io": "not in /x"}},
        {"cgroup_controllers": ("warning", "version 2: io: not in /x")},
    ),
    ("copy_on_write", OVERLAY, {}),
    (
        "copy_on_write",
        {**OVERLAY, "ftype": False, "overlay": "mount overlay on /m: Invalid argument"},
        {
            "overlay_backing": ("critical", "/var/lib/skiff lies on xfs with ftype=0"),
            "copy_on_write": ("critical", "mount overlay on /m: Invalid argument"),
        },
    ),
    ("copy_on_write", {**OVERLAY, "type": "nfs4", "ftype": None}, {"overlay_backing": ("critical", "/var/lib/skiff lies on nfs4")}),
    ("copy_on_write", {"there": False}, {"copy_on_write": ("critical", "there is no /var/lib/skiff")}),
    ("clock", {"skew": 1.5, "error": 0.01}, {}),
    ("clock", {"skew": -2.5, "error": 0.01}, {"clock": ("warning", "2.500 s behind, to within 0.010 s")}),
    ("clock", {"skew": 2.5, "error": 0.6}, {}),
    ("clock", {"skew": 61.0, "error": 0.5}, {"clock": ("critical", "61.000 s ahead, to within 0.500 s")}),
    ("clock", {"skew": 61.0, "error": 2.0}, {"clock": ("warning", "61.000 s ahead, to within 2.000 s")}),
    ("room", [room_of("/var/lib/skiff", 50), room_of("/run", 1, size=2)], {}),
    ("room", [room_of("/", 4)], {"disk_room": ("warning", "/: 4.0 of 100.0 GB free")}),
    ("room", [room_of("/", 90, size=10000)], {}),
    (
        "room",
        [room_of("/", 0.5), room_of("/opt", 4)],
        {"disk_room": ("critical", "/: 0.5 of 100.0 GB free; /opt: 4.0 of 100.0 GB free")},
    ),
    ("room", [room_of("/boot", 0.05, size=1)], {"disk_room": ("warning", "/boot: 0.1 of 1.0 GB free")}),
    ("room", [room_of("/run", 0.001, size=2)], {"disk_room": ("critical", "/run: 0.0 of 2.0 GB free")}),
    ("room", [room_of("/", 50, inodes=5)], {"inode_room": ("warning", "/: 5 % of 100 free")}),
    ("room", [room_of("/", 50, inodes=1)], {"inode_room": ("critical", "/: 1 % of 100 free")}),
    ("room", [{**room_of("/", 50), "inodes": 0, "inodes_free": 0}], {}),
    ("room", [room_of("/a", 4, mount="/"), room_of("/b", 4, mount="/")], {"disk_room": ("warning", "/a: 4.0 of 100.0 GB free")}),
    ("drift", {"known": 7, "drift": []}, {}),
    (
        "drift",
        {"known": 7, "drift": [{"id": "file:/etc/x", "what": "/etc/x: was changed"}]},
        {"drift": ("warning", "file:/etc/x (/etc/x: was changed)")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("probe", "seen", "wanted"), PREFLIGHT)
def test_what_the_agent_saw_is_judged(probe: str, seen: object, wanted: Dict[str, Tuple[str, str]]) -> None:
    assert verdicts(preflight.judge(facts(), variables(), {probe: answer(seen)})) == wanted


def test_a_look_that_came_to_no_end_fails_each_of_its_claims() -> None:
    for probe in preflight.probes(facts(), variables()):
        found = preflight.judge(facts(), variables(), {probe.name: Outcome(124, "", "no answer within 30 s")})
        assert found
        assert {check.detail for check in found} == {"no answer within 30 s"}
        assert not any(check.passed for check in found)


@pytest.mark.parametrize("engine", ["skiff", "docker-ce"])
@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_no_check_passes_whose_look_had_no_time_to_end(engine: str, mode: str) -> None:
    given = variables(
        engine=engine,
        docker_compat=engine == "skiff",
        registry_mirrors=["https://m.test"],
        selinux=mode,
        verify_mirrors=True,
    )
    asked = [f"{role.name}/{probe.name}" for role in ROLES for probe in role.probes(facts(), given)]
    late = [{"name": name, "status": 124, "stdout": "first.status=0\n", "stderr": ""} for name in asked]
    outcomes = desired.outcomes_by_role(late, [{"name": name, "timeout": 30} for name in asked])
    found = [check for _, check in desired.judge(job("verify", *ROLES), "h", facts(), given, outcomes)]
    assert len(found) > len(outcomes)
    assert [check for check in found if check.passed or "no answer within 30 s" not in check.detail] == []


INFO: Dict[str, Any] = {
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "xfs"], ["Supports d_type", "true"]],
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "RegistryConfig": {"Mirrors": [], "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"], "IndexConfigs": {}},
    "DockerRootDir": "/var/lib/skiff",
    "LoggingDriver": "json-file",
    "LiveRestoreEnabled": True,
    "Labels": ["b=2", "a=1"],
    "Debug": False,
    "ExperimentalBuild": False,
    "DefaultRuntime": "skiff-oci",
    "Runtimes": {"skiff-oci": {}},
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Architecture": "x86_64",
    "Warnings": None,
}
OPTIONS = {
    "log-driver": "json-file",
    "live-restore": True,
    "labels": ["a=1", "b=2"],
    "debug": False,
    "experimental": False,
    "default-runtime": "skiff-oci",
    "runtimes": {"skiff-oci": {}},
    "exec-opts": ["native.cgroupdriver=systemd"],
    "storage-driver": "overlay2",
}


def info(change: Mapping[str, Any], **given: Any) -> Dict[str, Tuple[str, str]]:
    declared = variables(daemon_options=OPTIONS, **given)
    return verdicts(service.judge(facts(), declared, {"info": answer({**INFO, **change})}))


FIELDS: List[Tuple[Dict[str, Any], Dict[str, Any], str, str]] = [
    ({"Driver": "vfs"}, {}, "storage_driver", "vfs"),
    ({"DriverStatus": [["Supports d_type", "false"]]}, {}, "d_type", "false, on unknown"),
    ({"CgroupDriver": "cgroupfs"}, {}, "cgroup_driver", "cgroupfs"),
    ({"CgroupVersion": "1"}, {}, "cgroup_version", "1"),
    ({}, {"registry_mirrors": ["https://m.test"]}, "registry_mirrors", "none"),
    ({}, {"insecure_registries": ["10.0.0.0/8"]}, "insecure_registries", "none"),
    (
        {"RegistryConfig": {"Mirrors": [], "IndexConfigs": {"r:5000": {"Secure": False}, "docker.io": {"Secure": True}}}},
        {},
        "insecure_registries",
        "r:5000",
    ),
    ({"DockerRootDir": "/x"}, {}, "data_root", "/x"),
    ({"LoggingDriver": "journald"}, {}, "log_driver", "journald"),
    ({"LiveRestoreEnabled": False}, {}, "live_restore", "false"),
    ({"Labels": ["a=1"]}, {}, "labels", "a=1"),
    ({"Debug": True}, {}, "debug_mode", "true"),
    ({"ExperimentalBuild": True}, {}, "experimental", "true"),
    ({"DefaultRuntime": "runc"}, {}, "default_runtime", "runc"),
    ({"Runtimes": {"runc": {}}}, {}, "runtimes", "runc"),
    ({"SecurityOptions": ["name=cgroupns"]}, {}, "security_options", "cgroupns"),
    ({"Architecture": "aarch64"}, {}, "architecture", "aarch64"),
]


@pytest.mark.parametrize(("change", "given", "name", "detail"), FIELDS)
def test_a_field_of_info_that_is_not_as_declared(change: Dict[str, Any], given: Dict[str, Any], name: str, detail: str) -> None:
    assert info({}) == {}
    found = info(change, **given)
    assert {one: told for one, (_, told) in found.items()} == {name: detail}


def test_docker_s_proxies_are_looked_for_and_not_told() -> None:
    given = variables(engine="docker-ce", https_proxy="http://me:secret@p.test:3128", no_proxy=["a.test"])
    found = service.judge(facts(), given, {"info": answer({**INFO, "NoProxy": "a.test", "DockerRootDir": "/var/lib/docker"})})
    assert verdicts(found) == {"proxies": ("critical", "no_proxy")}
    assert "secret" not in repr(found)


def test_every_field_s_claim_can_fail() -> None:
    assert {claim.name for claim in fields.CLAIMS} == {name for _, _, name, _ in FIELDS} | {"proxies"}


@pytest.mark.parametrize(("field", "words", "claim"), support.ROWS, ids=[claim.name for _, _, claim in support.ROWS])
def test_a_warning_is_told_in_dockerd_s_words(field: str, words: str, claim: Claim) -> None:
    assert info({"Warnings": [f"WARNING: {words}"], "CgroupVersion": "2"}) == {claim.name: (claim.severity, f"WARNING: {words}")}
    old = {key: value for key, value in INFO.items() if key not in ("Warnings", "CgroupVersion")}
    assert claim.name in verdicts(support.judge({**old, field: False}, "docker"))
    assert verdicts(support.judge({**old, field: True}, "docker")) == {}


def test_warnings_that_have_no_claim_of_their_own() -> None:
    found = info({"Warnings": ["WARNING: No blkio weight support", "WARNING: API is accessible on http://0.0.0.0:2375"]})
    assert found == {
        "blkio_support": ("info", "WARNING: No blkio weight support"),
        "engine_warnings": ("warning", "API is accessible on http://0.0.0.0:2375"),
    }


@pytest.mark.parametrize(
    ("client", "least", "most", "passed"),
    [("1.41", "1.24", "1.41", True), ("1.43", "1.24", "1.41", False), ("1.9", "1.24", "1.41", False)],
)
def test_the_client_s_api_version_is_one_of_the_server_s(client: str, least: str, most: str, passed: bool) -> None:
    told = {
        "Client": {"Version": "1.2.3", "ApiVersion": client},
        "Server": {"Version": "1.2.3", "ApiVersion": most, "MinAPIVersion": least},
    }
    found = service.judge(facts(), variables(), {"version": answer(told)})
    assert [check.passed for check in found if check.name == "api_version"] == [passed]


MIRRORS = ["https://a.test", "https://b.test"]


def test_every_mirror_that_is_silent_is_named() -> None:
    seen = [{"mirror": MIRRORS[0], "answers": True, "said": "200"}, {"mirror": MIRRORS[1], "answers": False, "said": "HTTP 500"}]
    (check,) = daemon_config.judge(facts(), variables(registry_mirrors=MIRRORS), {"mirrors": answer(seen)})
    assert (check.passed, check.severity, check.detail) == (False, "warning", "https://b.test: HTTP 500")
    assert "curl -v https://b.test/v2/" in check.cure
    seen[1].update(answers=True, said="401, asks for a login")
    (check,) = daemon_config.judge(facts(), variables(registry_mirrors=MIRRORS), {"mirrors": answer(seen)})
    assert check.passed


def test_mirrors_are_asked_where_there_are_any_and_nobody_said_no() -> None:
    def asks(**given: Any) -> bool:
        return any(probe.look == "mirrors" for probe in daemon_config.probes(facts(), variables(**given)))

    assert asks(registry_mirrors=MIRRORS)
    assert not asks()
    assert not asks(registry_mirrors=MIRRORS, verify_mirrors=False)


BOOT = {
    "target": "multi-user.target",
    "links": ["/etc/systemd/system/multi-user.target.wants/skiff.service"],
    "root": "/var/lib/skiff",
    "mount": "/",
    "kept": True,
}


@pytest.mark.parametrize(
    ("probe", "outcome", "wanted"),
    [
        ("boot", answer(BOOT), {}),
        ("boot", answer({**BOOT, "target": "rescue.target"}), {"boot_target": ("critical", "rescue.target")}),
        ("boot", answer({**BOOT, "links": []}), {"boot_links": ("critical", "no link leads to it")}),
        ("boot", answer({**BOOT, "mount": "/data", "kept": False}), {"boot_mounts": ("critical", "mounted on /data, by hand")}),
        ("boot", Outcome(124, "", "no answer"), {"boot_target": ("critical", "no answer")}),
        ("failed_units", Outcome(0, "", ""), {}),
        ("failed_units", Outcome(0, "a.service loaded failed failed A\n", ""), {"boot_failed_units": ("warning", "a.service")}),
        ("running", Outcome(0, "/db always\n", ""), {}),
        ("running", Outcome(0, "/db always\n/web no\n", ""), {"boot_containers": ("info", "without a restart policy: web")}),
    ],
)  # fmt: skip
def test_what_a_boot_would_bring_back(probe: str, outcome: Outcome, wanted: Dict[str, Tuple[str, str]]) -> None:
    assert verdicts(boot.judge(variables(), {probe: outcome})) == wanted
