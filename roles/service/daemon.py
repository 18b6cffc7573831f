"""What the daemon says of itself, held against what was declared: unit, version, info."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional

from fleet.checks import Check, Outcome
from fleet.variables import Variables
from roles.daemon_config.role import normalised

LOGS = "look at systemctl status skiff and journalctl -u skiff on the host"
PROVISION = "run provision again"


def judge_unit(name: str, outcome: Outcome) -> List[Check]:
    """A unit runs now, and will after a boot."""
    found = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    active, enabled = found.get("ActiveState", "unknown"), found.get("UnitFileState", "unknown")
    return [
        Check(f"{name} runs", active == "active", f"{active} ({found.get('SubState', 'unknown')})", LOGS),
        Check(f"{name} is enabled", enabled == "enabled", enabled or found.get("LoadState", "unknown"), f"systemctl enable {name}"),
    ]


def judge_version(outcome: Outcome, title: str, deployed: Optional[str]) -> Check:
    """Client and server answer with one version, the deployed one where it is known."""
    document = _document(outcome)
    client, server = (((document.get(side) or {}).get("Version") or "") for side in ("Client", "Server"))
    if not client or not server:
        return Check(title, False, _told(outcome) or "no answer from the server", LOGS)
    passed = client == server and deployed in (None, client)
    detail = f"client {client}, server {server}" + ("" if passed else f", deployed {deployed}")
    return Check(title, passed, detail, "systemctl restart skiff: containers run on")


def judge_info(outcome: Outcome, variables: Variables) -> List[Check]:
    """The engine's own account: storage, control groups, mirrors, data root, and nothing to warn of."""
    info = _document(outcome)
    if "Driver" not in info:
        errors = "; ".join(str(error) for error in info.get("ServerErrors") or [])
        return [Check("info answers", False, errors or _told(outcome), LOGS)]
    return [
        Check("The storage driver is overlay2", info["Driver"] == "overlay2", str(info["Driver"]), LOGS),
        _cgroup(info),
        _mirrors(info, variables),
        _data_root(info, variables.string("data_root")),
        _warnings(info),
    ]


def _cgroup(info: Mapping[str, Any]) -> Check:
    driver, version = info.get("CgroupDriver", ""), str(info.get("CgroupVersion", ""))
    passed = driver in ("cgroupfs", "systemd") and version in ("1", "2")
    return Check("Control groups are at hand", passed, f"driver {driver or 'none'}, version {version or 'unknown'}", LOGS)


def _mirrors(info: Mapping[str, Any], variables: Variables) -> Check:
    wanted = [normalised(mirror) for mirror in variables.strings("registry_mirrors")]
    found = list((info.get("RegistryConfig") or {}).get("Mirrors") or [])
    detail = ", ".join(found) or "none"
    if found != wanted:
        detail += f"; declared: {', '.join(wanted) or 'none'}"
    return Check("Registry mirrors are as configured", found == wanted, detail, "systemctl reload skiff, or provision again")


def _data_root(info: Mapping[str, Any], wanted: str) -> Check:
    found = str(info.get("DockerRootDir", "unknown"))
    return Check(f"The data root is {wanted}", found == wanted, found, PROVISION)


def _warnings(info: Mapping[str, Any]) -> Check:
    warnings = [str(warning) for warning in info.get("Warnings") or []]
    return Check("The engine warns of nothing", not warnings, "; ".join(warnings) or "no warnings", "look at each: skiff info")


def _document(outcome: Outcome) -> Dict[str, Any]:
    try:
        found = json.loads(outcome.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(outcome: Outcome) -> str:
    if outcome.status == 127:
        return "the command skiff is missing"
    return outcome.stderr.strip() or f"status {outcome.status}"
