"""The lab: real systemd hosts on this machine, by systemd-nspawn, for trying and testing the suite."""

from __future__ import annotations

from fleet.lab.host import HostSpec, HostStatus
from fleet.lab.lab import Lab
from fleet.lab.machine import PACKAGES

__all__ = ["PACKAGES", "HostSpec", "HostStatus", "Lab"]
