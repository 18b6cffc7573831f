"""The same calls to skiffd and to dockerd: the same statuses and messages, and the same keys with the same types."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from skiff.client import http
from skiff.spec.seccomp_profile import default_profile
from tests.contract.daemons import Daemon

IDENTITY = re.compile(r"[0-9a-f]{64}|[0-9a-f]{12}")
CREATE = "/containers/create"
HOST = {"NetworkMode": "none"}


def outcome(daemon: Daemon, method: str, path: str, document: object) -> tuple[int, str]:
    """Status and message, without what differs from run to run."""
    try:
        answer = daemon.client.open(method, path, document)
    except http.DaemonError as error:
        return error.status, IDENTITY.sub("ID", str(error))
    answer.close()
    return answer.status, ""


SAME: list[tuple[str, str, object]] = [
    ("GET", "/containers/nosuch/json", None),
    ("POST", "/containers/nosuch/start", None),
    ("POST", "/containers/nosuch/stop", None),
    ("POST", "/containers/nosuch/kill", None),
    ("POST", "/containers/nosuch/wait", None),
    ("DELETE", "/containers/nosuch", None),
    ("GET", "/images/nosuch/json", None),
    ("DELETE", "/images/nosuch", None),
    ("GET", "/nosuch", None),
    ("POST", "/_ping", None),
    ("POST", CREATE, {}),
    ("POST", CREATE, {"Image": "nosuch", "HostConfig": HOST}),
    ("POST", f"{CREATE}?name=a/b", {"Image": "busybox", "HostConfig": HOST}),
    ("POST", f"{CREATE}?name=-", {"Image": "busybox", "HostConfig": HOST}),
    ("POST", CREATE, {"Image": "busybox", "HostConfig": {**HOST, "Memory": 1000}}),
    ("POST", CREATE, {"Image": "busybox", "HostConfig": {**HOST, "Memory": 20000000, "MemorySwap": 1000}}),
    ("POST", CREATE, {"Image": "busybox", "HostConfig": {**HOST, "NanoCpus": 10**12}}),
    ("POST", CREATE, {"Image": "busybox", "HostConfig": {**HOST, "CapAdd": ["foo"]}}),
    ("POST", CREATE, {"Image": "busybox", "Env": ["=x"], "HostConfig": HOST}),
    ("POST", CREATE, {"Image": "busybox", "WorkingDir": "a", "HostConfig": HOST}),
    ("GET", "/containers/json?filters=%7B%22foo%22%3A%5B%22x%22%5D%7D", None),
]


@pytest.mark.parametrize(("method", "path", "document"), SAME, ids=[f"{row[0]} {row[1]} {row[2] or ''}"[:70] for row in SAME])
def test_errors_are_the_oracle_s(loaded: Daemon, dockerd: Daemon, method: str, path: str, document: object) -> None:
    assert outcome(loaded, method, path, document) == outcome(dockerd, method, path, document)


STEPS: list[tuple[str, str, object]] = [
    ("POST", f"{CREATE}?name=oracle", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": HOST}),
    ("POST", f"{CREATE}?name=oracle", {"Image": "busybox", "HostConfig": HOST}),
    ("POST", "/containers/oracle/stop", None),
    ("POST", "/containers/oracle/kill", None),
    ("POST", "/containers/oracle/start", None),
    ("POST", "/containers/oracle/start", None),
    ("POST", "/containers/oracle/kill?signal=FOO", None),
    ("GET", "/containers/oracle/logs", None),
    ("DELETE", "/containers/oracle", None),
    ("DELETE", "/images/busybox", None),
    ("POST", "/containers/oracle/stop?t=0", None),
    ("POST", "/containers/oracle/stop?t=0", None),
    ("DELETE", "/images/busybox", None),
    ("DELETE", "/containers/oracle", None),
    ("DELETE", "/containers/oracle", None),
]


def test_a_life_step_by_step_is_the_oracle_s(loaded: Daemon, dockerd: Daemon) -> None:
    for step in STEPS:
        ours, theirs = outcome(loaded, *step), outcome(dockerd, *step)
        assert ours == theirs, step


def shape(value: Any) -> Any:
    """Keys and types; a list is as good as null, for Go writes an empty one either way."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list) or value is None:
        return "list or null"
    return type(value).__name__


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where two shapes differ."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return [] if ours == theirs or "list or null" in (ours, theirs) else [f"{where}: {ours} instead of {theirs}"]
    found = [f"{where}.{key}: missing" for key in theirs if key not in ours]
    found += [f"{where}.{key}: not the oracle's" for key in ours if key not in theirs]
    for key in set(ours) & set(theirs):
        found += differences(ours[key], theirs[key], f"{where}.{key}")
    return sorted(found)


# Maps whose keys are data, not schema.
DATA = {".Runtimes", ".Config.Labels", ".GraphDriver.Data", ".NetworkSettings.Networks", ".Config.ExposedPorts"}


def schema_differences(ours: Any, theirs: Any) -> list[str]:
    return [line for line in differences(shape(ours), shape(theirs)) if not any(line.startswith(f"{name}") for name in DATA)]


def test_version_has_the_oracle_s_keys_and_types(skiffd: Daemon, dockerd: Daemon) -> None:
    ours, theirs = (daemon.client.call("GET", "/version") for daemon in (skiffd, dockerd))
    assert schema_differences(ours, theirs) == []
    assert schema_differences(ours["Components"][0], theirs["Components"][0]) == []


def test_info_has_the_oracle_s_keys_and_types(skiffd: Daemon, dockerd: Daemon) -> None:
    ours, theirs = (daemon.client.call("GET", "/info") for daemon in (skiffd, dockerd))
    assert schema_differences(ours, theirs) == []


# What the host is does not depend on who looks.
FACTS = """
    MemoryLimit SwapLimit KernelMemory KernelMemoryTCP CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit OomKillDisable
    IPv4Forwarding BridgeNfIptables BridgeNfIp6tables CgroupDriver CgroupVersion KernelVersion OperatingSystem OSVersion OSType
    Architecture NCPU MemTotal Name Driver IndexServerAddress Warnings
"""


@pytest.mark.parametrize("name", FACTS.split())
def test_info_sees_the_host_as_the_oracle_does(skiffd: Daemon, dockerd: Daemon, name: str) -> None:
    assert skiffd.client.call("GET", "/info")[name] == dockerd.client.call("GET", "/info")[name]


def made(daemon: Daemon) -> Any:
    body = {
        "Image": "busybox",
        "Cmd": ["echo", "x"],
        "Env": ["A=b"],
        "Labels": {"c": "d"},
        "HostConfig": {**HOST, "Memory": 32 << 20},
    }
    identity = daemon.client.call("POST", CREATE, body)["Id"]
    try:
        return daemon.client.call("GET", f"/containers/{identity}/json"), daemon.client.call("GET", "/containers/json?all=1")[0]
    finally:
        daemon.client.call("DELETE", f"/containers/{identity}")


# Fields that API 1.41 gained or lost in dockerd's later releases, and the CLI's newest sends.
BEYOND = {".HostConfig.Annotations", ".HostConfig.Init", ".HostConfig.Mounts", ".HostConfig.StorageOpt", ".HostConfig.Sysctls"}
BEYOND |= {".HostConfig.Tmpfs", ".Config.Healthcheck", ".Config.MacAddress", ".Config.NetworkDisabled", ".Config.Shell"}
BEYOND |= {".Config.StopSignal", ".Config.StopTimeout", ".Config.ArgsEscaped", ".Config.ExposedPorts"}


def test_inspect_and_list_have_the_oracle_s_keys_and_types(loaded: Daemon, dockerd: Daemon) -> None:
    (ours, our_entry), (theirs, their_entry) = made(loaded), made(dockerd)
    found = [line for line in schema_differences(ours, theirs) if line.partition(":")[0] not in BEYOND]
    assert found == []
    assert schema_differences(our_entry, their_entry) == []
    assert our_entry["Command"] == their_entry["Command"]
    for name in ("Env", "Cmd", "Labels", "Entrypoint", "WorkingDir"):
        assert ours["Config"][name] == theirs["Config"][name], name


def test_images_have_the_oracle_s_keys_and_types(loaded: Daemon, dockerd: Daemon) -> None:
    for path in ("/images/busybox/json",):
        ours, theirs = (daemon.client.call("GET", path) for daemon in (loaded, dockerd))
        assert ours["Id"] == theirs["Id"]
        assert ours["RootFS"] == theirs["RootFS"]
        assert set(theirs) - set(ours) == set()
    ours, theirs = (daemon.client.call("GET", "/images/json")[0] for daemon in (loaded, dockerd))
    assert schema_differences(ours, theirs) == []
    assert (ours["RepoTags"], ours["Created"]) == (theirs["RepoTags"], theirs["Created"])


@pytest.mark.parametrize("added", [[], ["SYS_ADMIN"], ["SYS_PTRACE", "SYS_CHROOT"], ["SYS_TIME", "SYSLOG", "SYS_MODULE"]])
def test_the_seccomp_profile_is_the_oracle_s(dockerd: Daemon, added: list[str]) -> None:
    """Call by call, as dockerd hands it to runc; but for what later versions of it have taken out."""
    host = {**HOST, "CapDrop": ["ALL"], "CapAdd": added}
    document = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": host}
    identity = dockerd.client.call("POST", CREATE, document)["Id"]
    try:
        dockerd.client.call("POST", f"/containers/{identity}/start")
        [config] = (dockerd.socket.parent / "exec").rglob(f"{identity}/config.json")
        theirs = json.loads(config.read_text())["linux"]["seccomp"]
    finally:
        dockerd.client.call("DELETE", f"/containers/{identity}?force=1")
    ours = default_profile([f"CAP_{name}" for name in added], "x86_64")
    assert ours["architectures"] == theirs["architectures"]
    expected = {row for row in calls(theirs) if not row[0].startswith("io_uring_") and row[0] != "socket"}
    assert {row for row in calls(ours) if row[0] not in ("socket", "clock_settime64")} == expected


def calls(profile: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Name, action and conditions of each rule."""
    return {
        (name, rule["action"], json.dumps([rule.get("errnoRet"), rule.get("args")], sort_keys=True))
        for rule in profile["syscalls"]
        for name in rule["names"]
    }
