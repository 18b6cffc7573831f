"""/_ping, /version and /info: who serves here and what the host can do, in Docker's words and never more than is true."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from datetime import datetime, timezone
from typing import Any, Mapping

from skiff import VERSION
from skiff.api import messages, router
from skiff.engine import engine, host
from skiff.engine.settings import Settings
from skiff.linux import libseccomp

PING_HEADERS = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
COMMON_HEADERS: Mapping[str, str] = {
    "Api-Version": router.API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Skiff/{VERSION} (linux)",
}
OFFICIAL_INDEX = "https://index.docker.io/v1/"
RUNTIME = "skiff-oci"
NO_COMMIT = {"ID": "", "Expected": ""}


def register(routes: router.Router, served: engine.Engine) -> None:
    """Add the routes of this module."""

    @routes.route("GET", "/_ping")
    async def ping(_request: messages.Request) -> messages.Response:
        return messages.Response(200, b"OK", "text/plain; charset=utf-8", PING_HEADERS)

    @routes.route("HEAD", "/_ping")
    async def ping_head(_request: messages.Request) -> messages.Response:
        return messages.Response(200, b"", "text/plain; charset=utf-8", PING_HEADERS)

    @routes.route("GET", "/version")
    async def version(_request: messages.Request) -> messages.Response:
        return messages.json_response(version_document())

    @routes.route("GET", "/info")
    async def info(_request: messages.Request) -> messages.Response:
        document = await asyncio.get_running_loop().run_in_executor(None, info_document, served)
        return messages.json_response({**document, "NGoroutines": len(asyncio.all_tasks())})


def version_document() -> dict[str, Any]:
    """Docker's Version; no Go runs here, so its version is empty and Python's stands among the components."""
    engine_fields = {
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": host.architecture(),
        "KernelVersion": platform.release(),
        "BuildTime": "",
    }
    details = {
        "ApiVersion": router.API_VERSION,
        "MinAPIVersion": router.MIN_API_VERSION,
        "Experimental": "false",
        **engine_fields,
    }
    return {
        "Platform": {"Name": "Skiff"},
        "Components": [
            {"Name": "Engine", "Version": VERSION, "Details": details},
            {"Name": RUNTIME, "Version": VERSION, "Details": {"GitCommit": ""}},
            {"Name": platform.python_implementation(), "Version": platform.python_version(), "Details": {"GitCommit": ""}},
        ],
        "Version": VERSION,
        "ApiVersion": router.API_VERSION,
        "MinAPIVersion": router.MIN_API_VERSION,
        **engine_fields,
    }


def info_document(served: engine.Engine) -> dict[str, Any]:
    """Docker's SystemInfo of API 1.41, but for what only the event loop knows."""
    settings = served.settings
    release = host.os_release()
    return {
        "ID": served.identity,
        **_counts(served),
        **_storage(served),
        "Plugins": {"Volume": [], "Network": ["host", "null"], "Authorization": None, "Log": ["json-file"]},
        **_kernel(),
        "Debug": settings.debug,
        "NFd": host.open_files(),
        "SystemTime": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "LoggingDriver": settings.log_driver,
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(host.cgroup_version()),
        "NEventsListener": 0,
        "KernelVersion": platform.release(),
        "OperatingSystem": release.get("PRETTY_NAME", "Linux"),
        "OSVersion": release.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "IndexServerAddress": OFFICIAL_INDEX,
        "RegistryConfig": _registries(settings),
        "NCPU": host.cpu_count(),
        "MemTotal": host.memory_total(),
        "GenericResources": None,
        **{name: os.environ.get(variable, "") for name, variable in _PROXIES},
        "Name": socket.gethostname(),
        "Labels": list(settings.labels),
        "ExperimentalBuild": False,
        "ServerVersion": VERSION,
        "Runtimes": {RUNTIME: {"path": RUNTIME}},
        "DefaultRuntime": RUNTIME,
        "Swarm": _NO_SWARM,
        "LiveRestoreEnabled": settings.live_restore,
        "Isolation": "",
        "InitBinary": "",
        "ContainerdCommit": NO_COMMIT,
        "RuncCommit": NO_COMMIT,
        "InitCommit": NO_COMMIT,
        "SecurityOptions": [*_FILTER, "name=cgroupns"],
        "Warnings": warnings() or None,
    }


_FILTER = ("name=seccomp,profile=builtin",) if libseccomp.present() else ()
_PROXIES = (("HttpProxy", "HTTP_PROXY"), ("HttpsProxy", "HTTPS_PROXY"), ("NoProxy", "NO_PROXY"))
_NO_SWARM = {
    "NodeID": "",
    "NodeAddr": "",
    "LocalNodeState": "inactive",
    "ControlAvailable": False,
    "Error": "",
    "RemoteManagers": None,
}


def _counts(served: engine.Engine) -> dict[str, int]:
    running, paused, stopped = served.containers.counts()
    return {
        "Containers": running + paused + stopped,
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": stopped,
        "Images": served.images.count(),
    }


def _storage(served: engine.Engine) -> dict[str, Any]:
    status = [
        ["Backing Filesystem", served.backing_filesystem],
        ["Supports d_type", "true" if served.supports_d_type else "false"],
    ]
    return {
        "Driver": served.settings.storage_driver,
        "DriverStatus": status,
        "DockerRootDir": served.settings.data_root,
    }


def _kernel() -> dict[str, bool]:
    limits = host.limits()
    return {
        "MemoryLimit": limits.memory,
        "SwapLimit": limits.swap,
        "KernelMemory": limits.kernel_memory,
        "KernelMemoryTCP": limits.kernel_memory_tcp,
        "CpuCfsPeriod": limits.cpu_cfs_period,
        "CpuCfsQuota": limits.cpu_cfs_quota,
        "CPUShares": limits.cpu_shares,
        "CPUSet": limits.cpuset,
        "PidsLimit": limits.pids,
        "OomKillDisable": limits.oom_kill_disable,
        "IPv4Forwarding": host.sysctl_on("net/ipv4/ip_forward"),
        "BridgeNfIptables": host.sysctl_on("net/bridge/bridge-nf-call-iptables"),
        "BridgeNfIp6tables": host.sysctl_on("net/bridge/bridge-nf-call-ip6tables"),
    }


# Forwarding and bridge-nf are warned of although Skiff has no bridge network yet: the docker CLI prints these lines by itself
# when a field is false, and a host that was prepared in full has all three.
_WARNINGS = (
    ("MemoryLimit", "No memory limit support"),
    ("SwapLimit", "No swap limit support"),
    ("OomKillDisable", "No oom kill disable support"),
    ("CpuCfsQuota", "No cpu cfs quota support"),
    ("CpuCfsPeriod", "No cpu cfs period support"),
    ("CPUShares", "No cpu shares support"),
    ("CPUSet", "No cpuset support"),
    ("IPv4Forwarding", "IPv4 forwarding is disabled"),
    ("BridgeNfIptables", "bridge-nf-call-iptables is disabled"),
    ("BridgeNfIp6tables", "bridge-nf-call-ip6tables is disabled"),
)
# Of disks, by version of control groups.
_DISKS = {
    1: tuple(f"No blkio throttle.{kind}_device support" for kind in ("read_bps", "write_bps", "read_iops", "write_iops")),
    2: (
        "No io.weight support",
        "No io.weight (per device) support",
        *(f"No io.max ({kind}) support" for kind in ("rbps", "wbps", "riops", "wiops")),
    ),
}


def warnings() -> list[str]:
    """What dockerd warns of; disabling the OOM killer is a thing of cgroup v1 alone."""
    kernel, version = _kernel(), host.cgroup_version()
    skipped = {"OomKillDisable"} if version == 2 else set()
    told = [text for name, text in _WARNINGS if not kernel[name] and name not in skipped]
    return [f"WARNING: {text}" for text in (*told, *(() if host.limits().disks else _DISKS[version]))]


def _registries(settings: Settings) -> dict[str, Any]:
    networks = [value for value in settings.insecure_registries if "/" in value]
    names = [value for value in settings.insecure_registries if "/" not in value]
    mirrors = list(settings.registry_mirrors)
    return {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": [*networks, "127.0.0.0/8"],
        "IndexConfigs": {
            **{name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False} for name in names},
            "docker.io": {"Name": "docker.io", "Mirrors": mirrors, "Secure": True, "Official": True},
        },
        "Mirrors": mirrors,
    }
