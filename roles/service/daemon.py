"""What an engine says of itself, held against what was declared. `engine` is the name of its command and of its unit."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from fleet.checks import Check, Outcome
from roles.daemon_config.role import normalised

PROVISION = "run provision again"
DRIVERS = ("overlay2", "overlayfs")  # overlayfs by dockerd's name where containerd keeps the images: from 29.0 on


def logs(engine: str) -> str:
    """Where the reason of a failure is told."""
    return f"look at systemctl status {engine} and journalctl -u {engine} on the host"


def judge_unit(name: str, outcome: Outcome) -> List[Check]:
    """A unit runs now, and will after a boot."""
    found = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    active, enabled = found.get("ActiveState", "unknown"), found.get("UnitFileState", "unknown")
    return [
        Check(f"{name} runs", active == "active", f"{active} ({found.get('SubState', 'unknown')})", logs(name.partition(".")[0])),
        Check(f"{name} is enabled", enabled == "enabled", enabled or found.get("LoadState", "unknown"), f"systemctl enable {name}"),
    ]


def judge_version(outcome: Outcome, title: str, declared: Optional[str], engine: str) -> Check:
    """Client and server answer with one version, the declared one where there is one."""
    document = _document(outcome)
    client, server = (((document.get(side) or {}).get("Version") or "") for side in ("Client", "Server"))
    if not client or not server:
        return Check(title, False, _told(outcome, engine) or "no answer from the server", logs(engine))
    # A packager may have added to the version that it built: 20.10.24+dfsg1.
    passed = client == server and (not declared or client.partition("+")[0] == declared or client == declared)
    detail = f"client {client}, server {server}" + ("" if passed else f", declared {declared or 'none'}")
    return Check(title, passed, detail, f"systemctl restart {engine}" + (": containers run on" if engine == "skiff" else ""))


def judge_info(outcome: Outcome, mirrors: Sequence[str], data_root: str, engine: str) -> List[Check]:
    """The engine's own account: storage, control groups, mirrors, data root where one is declared, and nothing to warn of."""
    info = _document(outcome)
    if not info.get("Driver"):
        errors = "; ".join(str(error) for error in info.get("ServerErrors") or [])
        return [Check("info answers", False, errors or _told(outcome, engine), logs(engine))]
    return [
        Check("The storage driver is overlay2", info["Driver"] in DRIVERS, str(info["Driver"]), logs(engine)),
        _cgroup(info, engine),
        _mirrors(info, mirrors, engine),
        *([_data_root(info, data_root)] if data_root else []),
        _warnings(info, engine),
    ]


def _cgroup(info: Mapping[str, Any], engine: str) -> Check:
    driver, version = info.get("CgroupDriver", ""), str(info.get("CgroupVersion", ""))
    passed = driver in ("cgroupfs", "systemd") and version in ("1", "2", "")  # dockerd tells it from 20.10 on
    return Check("Control groups are at hand", passed, f"driver {driver or 'none'}, version {version or 'not told'}", logs(engine))


def _mirrors(info: Mapping[str, Any], mirrors: Sequence[str], engine: str) -> Check:
    wanted = [normalised(mirror) for mirror in mirrors]
    found = list((info.get("RegistryConfig") or {}).get("Mirrors") or [])
    detail = ", ".join(found) or "none"
    if found != wanted:
        detail += f"; declared: {', '.join(wanted) or 'none'}"
    return Check("Registry mirrors are as configured", found == wanted, detail, f"systemctl reload {engine}, or provision again")


def _data_root(info: Mapping[str, Any], wanted: str) -> Check:
    found = str(info.get("DockerRootDir", "unknown"))
    return Check(f"The data root is {wanted}", found == wanted, found, PROVISION)


def _warnings(info: Mapping[str, Any], engine: str) -> Check:
    warnings = [str(warning) for warning in info.get("Warnings") or []]
    detail = "; ".join(warnings) or "no warnings"
    return Check("The engine warns of nothing", not warnings, detail, f"look at each: {engine} info")


def _document(outcome: Outcome) -> Dict[str, Any]:
    try:
        found = json.loads(outcome.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(outcome: Outcome, engine: str) -> str:
    if outcome.status == 127:
        return f"the command {engine} is missing"
    return outcome.stderr.strip() or f"status {outcome.status}"
