"""Containers as Docker's JSON: the entry of a list, and inspect."""

from __future__ import annotations

import os
import time
from typing import Any

from skiff.engine import ages, create, logs, status
from skiff.engine.container import Container, State
from skiff.spec import defaults


def list_entry(container: Container) -> dict[str, Any]:
    """One entry of /containers/json."""
    record, state = container.record, container.state
    return {
        "Id": record.id,
        "Names": [f"/{record.name}"],
        "Image": record.config["Image"],
        "ImageID": record.image,
        "Command": create.command_line(record.command),
        "Created": int(logs.epoch(record.created)),
        "Ports": [],
        "Labels": record.config["Labels"],
        "State": state.status,
        "Status": status_text(state),
        "HostConfig": {"NetworkMode": record.host_config["NetworkMode"]},
        "NetworkSettings": {"Networks": _networks(container)},
        "Mounts": [],
    }


def status_text(state: State) -> str:
    """The state in words: Up 5 minutes, Exited (0) 3 hours ago."""
    now = time.time()
    if state.status == status.RUNNING:
        return f"Up {ages.duration(now - logs.epoch(state.started_at))}"
    if state.status == status.PAUSED:
        return f"Up {ages.duration(now - logs.epoch(state.started_at))} (Paused)"
    if state.status == status.EXITED:
        return f"Exited ({state.exit_code}) {ages.duration(now - logs.epoch(state.finished_at))} ago"
    return {status.CREATED: "Created", status.REMOVING: "Removal In Progress", status.DEAD: "Dead"}[state.status]


def _networks(container: Container) -> dict[str, Any]:
    nothing = {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "",
        "DriverOpts": None,
    }
    return {container.record.host_config["NetworkMode"]: nothing}


def inspect(container: Container) -> dict[str, Any]:
    """All that is known of one."""
    record = container.record
    command = record.command
    return {
        "Id": record.id,
        "Created": record.created,
        "Path": command[0],
        "Args": command[1:],
        "State": _state(container.state),
        "Image": record.image,
        "ResolvConfPath": os.path.join(container.directory, "resolv.conf"),
        "HostnamePath": os.path.join(container.directory, "hostname"),
        "HostsPath": os.path.join(container.directory, "hosts"),
        "LogPath": container.log_path if record.host_config["LogConfig"]["Type"] == "json-file" else "",
        "Name": f"/{record.name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": {**record.host_config, **_paths()},
        "GraphDriver": {"Data": None, "Name": "overlay2"},
        "Mounts": [],
        "Config": record.config,
        "NetworkSettings": {**_NO_NETWORK, "Networks": _networks(container)},
    }


def _paths() -> dict[str, Any]:
    linux = defaults.default_spec()["linux"]
    return {"MaskedPaths": linux["maskedPaths"], "ReadonlyPaths": linux["readonlyPaths"]}


def _state(state: State) -> dict[str, Any]:
    return {
        "Status": state.status,
        "Running": state.status in status.ALIVE,
        "Paused": state.status == status.PAUSED,
        "Restarting": False,
        "OOMKilled": state.oom_killed,
        "Dead": state.status == status.DEAD,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": state.started_at,
        "FinishedAt": state.finished_at,
    }


_NO_NETWORK = {
    "Bridge": "",
    "SandboxID": "",
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "Ports": {},
    "SandboxKey": "",
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}
