"""Whether firewalld is as declared: now, and at the next boot."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles.firewall.role import UNIT

OFF = ("inactive", "failed")
NOT_AT_BOOT = ("masked", "masked-runtime", "disabled")
STOPPED = Claim(
    "firewalld_stopped",
    "firewalld does not run",
    "it flushes the rules by which containers reach each other and the world",
    f"systemctl stop {UNIT}  # or set firewalld: kept",
    probes=("unit",),
)
AT_BOOT = Claim(
    "firewalld_at_boot",
    "firewalld stays off after a boot",
    "the next boot brings it back",
    f"systemctl disable {UNIT} && systemctl mask {UNIT}  # or set firewalld: kept",
    probes=("unit",),
)
CLAIMS = (STOPPED, AT_BOOT)


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """What systemd says of the unit, installed or not."""
    if variables.string("firewalld") == "kept":
        return []
    return [Probe("unit", ("systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", UNIT))]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """It does not run, and will not after a boot."""
    if "unit" not in outcomes:
        return []
    found = dict(line.split("=", 1) for line in outcomes["unit"].stdout.splitlines() if "=" in line)
    load, active, enabled = (found.get(key, "unknown") for key in ("LoadState", "ActiveState", "UnitFileState"))
    absent = load == "not-found"
    masked = load == "masked"  # systemd 219 calls a masked unit's file "bad"
    boot = "not installed" if absent else load if masked else enabled
    return [
        STOPPED.judged(absent or active in OFF, "not installed" if absent else active, "inactive"),
        AT_BOOT.judged(absent or masked or enabled in NOT_AT_BOOT, boot, "masked"),
    ]
