"""What systemd says of an engine's unit and the engine of itself. `engine` is the name of its command and of its unit."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

from fleet.checks import Check, Claim, Outcome
from roles.service import fields, support
from roles.service.fields import INSPECT, Declared

ACTIVE = Claim(
    "service_active",
    "{unit} runs",
    "no container can be started or looked at",
    f"systemctl start {{unit}}; {INSPECT}",
    probes=("unit",),
)
ENABLED = Claim(
    "service_enabled", "{unit} is enabled", "the next boot comes without it", "systemctl enable {unit}", probes=("unit",)
)
VERSION = Claim(
    "version",
    "Client and server have one version",
    "the daemon still runs what an upgrade replaced",
    "systemctl restart {engine}{kept}",
    probes=("version",),
)
API = Claim(
    "api_version",
    "Client and server speak one API version",
    "commands are refused",
    "./inv provision --hosts {host} --roles packages,runtime,service",
    probes=("version",),
)
INFO_ANSWERS = Claim("info_answers", "info answers", "the engine's state is unknown", INSPECT, probes=("info",))
CLAIMS = (ACTIVE, ENABLED, VERSION, API, INFO_ANSWERS)


def judge_unit(name: str, outcome: Outcome, active: Claim = ACTIVE, enabled: Claim = ENABLED) -> List[Check]:
    """A unit runs now, and will after a boot."""
    found = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    state, file = found.get("ActiveState", "unknown"), found.get("UnitFileState", "unknown")
    words = {"unit": name, "engine": name.partition(".")[0]}
    return [
        active.judged(state == "active", f"{state} ({found.get('SubState', 'unknown')})", "active", **words),
        enabled.judged(file == "enabled", file or found.get("LoadState", "unknown"), "enabled", **words),
    ]


def judge_version(outcome: Outcome, declared: Optional[str], engine: str, claim: Claim = VERSION) -> Check:
    """Client and server answer with one version, the declared one where there is one."""
    document = _document(outcome)
    words = {"engine": engine, "kept": "  # containers run on" if engine == "skiff" else ""}
    client, server = (((document.get(side) or {}).get("Version") or "") for side in ("Client", "Server"))
    if not client or not server:
        return claim.judged(False, _told(outcome, engine) or "no answer from the server", **words)
    # A packager may have added to the version that it built: 20.10.24+dfsg1.
    passed = client == server and (not declared or client.partition("+")[0] == declared or client == declared)
    return claim.judged(passed, f"client {client}, server {server}", declared or "the same", **words)


def judge_api(outcome: Outcome) -> List[Check]:
    """The client's API version is one that the server takes; nothing is said where either is silent."""
    document = _document(outcome)
    client, server = document.get("Client") or {}, document.get("Server") or {}
    told = [str(one) for one in (client.get("ApiVersion"), server.get("MinAPIVersion"), server.get("ApiVersion")) if one]
    if len(told) != 3:
        return []
    spoken, least, most = map(_numbers, told)
    return [API.judged(least <= spoken <= most, f"client {told[0]}, server {told[1]} to {told[2]}", "one that the server has")]


def judge_info(outcome: Outcome, want: Declared, engine: str) -> List[Check]:
    """The engine's own account: its fields beside what is declared, and what it warns of."""
    info = _document(outcome)
    if not info.get("Driver"):
        errors = "; ".join(str(error) for error in info.get("ServerErrors") or [])
        return [INFO_ANSWERS.judged(False, errors or _told(outcome, engine), engine=engine)]
    answered = INFO_ANSWERS.judged(True, f"version {info.get('ServerVersion', 'not told')}")
    return [answered, *fields.judge(info, want, engine), *support.judge(info, engine)]


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


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
