"""Whether firewalld is as declared: now, and at the next boot."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import Check, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles.firewall.role import UNIT

OFF = ("inactive", "failed")
NOT_AT_BOOT = ("masked", "masked-runtime", "disabled")


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
    return [
        Check(
            "firewalld does not run",
            absent or active in OFF,
            "not installed" if absent else active,
            f"systemctl stop {UNIT}, or set firewalld: kept",
        ),
        Check(
            "firewalld stays off after a boot",
            absent or load == "masked" or enabled in NOT_AT_BOOT,  # systemd 219 calls a masked unit's file "bad"
            "not installed" if absent else load if load == "masked" else enabled,
            f"systemctl disable {UNIT} && systemctl mask {UNIT}, or set firewalld: kept",
        ),
    ]
