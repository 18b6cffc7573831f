"""Which Python runs the runtime on a host, and which package brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from fleet.facts import Facts

OLDEST = (3, 9, 0)
OLDEST_TEXT = "3.9"


@dataclass(frozen=True)
class Choice:
    """An interpreter's path; `package` brings it where the release has none of its own that is new enough."""

    path: str
    package: Optional[str] = None


def choose(facts: Facts) -> Optional[Choice]:
    """The interpreter, or None where the release offers none.

    Decided by the release, not by what is installed, so that a run after the installation decides the same.
    """
    if facts.os_major >= 9:
        return Choice("/usr/bin/python3")
    if facts.os_major == 8:
        return Choice("/usr/bin/python3.9", "python39") if _before_8_8(facts) else Choice("/usr/bin/python3.11", "python3.11")
    usable = [python for python in facts.pythons if python.version >= OLDEST]
    return Choice(max(usable, key=lambda python: (python.version, python.path)).path) if usable else None


def _before_8_8(facts: Facts) -> bool:
    """Whether its packages have no python3.11: those of CentOS Linux 8 end with 8.5, others are held at a minor release."""
    if facts.os_id == "centos":
        return "Stream" not in facts.os_name
    minor = facts.os_version.partition(".")[2]
    return minor.isdigit() and int(minor) < 8
